/**
 * Call `after` whenever the method has been called.
 *
 * @template {object} Owner
 * @template {keyof Owner} Name
 * @param {Owner} owner
 * @param {Name} name of a method that need not be there
 * @param {(...given: Parameters<Extract<Owner[Name], (...given: any[]) => unknown>>) => void} after
 */
export function chain(owner, name, after) {
  const methods = /** @type {Record<Name, unknown>} */ (owner);
  const before = methods[name];
  /** @this {unknown} @param {Parameters<typeof after>} given */
  methods[name] = function (...given) {
    const result = typeof before === "function" ? before.apply(this, given) : undefined;
    after(...given);
    return result;
  };
}
