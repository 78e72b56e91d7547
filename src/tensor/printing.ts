// What console.log and JSON.stringify show of this package's objects: what they are, and not the
// privacy of their fields. Node and Bun ask by a symbol, minifiers leave it alone.

/** Node's `util.inspect.custom`. */
export const inspectSymbol: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** Shown of what has been disposed. */
export const GONE = { disposed: true };

type Inspect = (value: unknown, options: object) => string;

/** `Name { … }` by the inspector's own ways, long arrays cut short. */
export function inspected(
  name: string,
  shown: object,
  options: object,
  inspect: Inspect | undefined,
): unknown {
  return inspect ? `${name} ${inspect(shown, { ...options, maxArrayLength: 8 })}` : shown;
}
