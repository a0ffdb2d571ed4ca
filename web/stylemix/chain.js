/**
 * Call `after` whenever the method has been called.
 *
 * @template {string} Name
 * @template {unknown[]} Given
 * @param {{ [name in Name]?: ((...given: Given) => unknown) | null }} object
 * @param {Name} name
 * @param {(...given: NoInfer<Given>) => void} after
 */
export function chain(object, name, after) {
  const before = object[name];
  /** @this {unknown} @param {Given} given */
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    after(...given);
    return result;
  };
}
