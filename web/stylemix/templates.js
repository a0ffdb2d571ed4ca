/** Notes and titles of the example workflows in the page's language. A workflow carries them in every language. */

/** In a graph's `extra`: a list of texts such as `{"en": "Faces", "ko": "얼굴들"}`. */
const TEXTS = "stylemix_texts";
const NOTES = ["MarkdownNote", "Note"];

/**
 * Put a workflow's notes, and its nodes' and groups' titles, into a language before the page takes them. A text that
 * its user has changed is none of the known ones and stays as it is.
 *
 * @param {Comfy.Workflow} workflow as saved, changed in place
 * @param {string} locale such as "ko" or "ko-KR"
 */
export function translate(workflow, locale) {
  const graphs = [workflow, ...(workflow.definitions?.subgraphs ?? [])];
  /** @type {Record<string, string>[]} */
  const texts = graphs.flatMap(({ extra }) => (Array.isArray(extra?.[TEXTS]) ? extra[TEXTS] : []));
  if (!texts.length) return;
  const language = String(locale).split(/[-_]/)[0];
  /** @type {<Text>(text: Text) => Text | string} */
  const translated = (text) => {
    const known = texts.find((each) => Object.values(each).some((said) => said === text));
    return known?.[language] ?? known?.en ?? text;
  };
  for (const { nodes = [], groups = [] } of graphs) {
    for (const node of nodes) {
      if (node.title) node.title = translated(node.title);
      if (NOTES.includes(node.type)) node.widgets_values = node.widgets_values?.map(translated);
    }
    for (const group of groups) group.title = translated(group.title);
  }
}
