/** Single signs: what may stand for ASCII's own, and how Python shows them. */

/** What stands for a hyphen or a minus sign: en dashes and their like. */
const DASHES = /[\u2010-\u2015\u2212]/g;
/** The full-width forms of all of ASCII's signs. */
const FULL_WIDTH = /[\uff01-\uff5e]/g;

/**
 * The text with ASCII's own signs instead of full-width ones and typographic dashes; every position stays.
 *
 * @param {string} text
 */
export function plain(text) {
  return text
    .replace(FULL_WIDTH, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))
    .replace(DASHES, "-")
    .replaceAll("〜", "~")
    .replaceAll("、", ",");
}

/**
 * As Python quotes strings.
 *
 * @param {string} text
 */
export function repr(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\t", "\\t")
    .replace(/(?! )[\p{Z}\p{C}]/gu, (sign) => {
      const code = (sign.codePointAt(0) ?? 0).toString(16);
      return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
    });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
