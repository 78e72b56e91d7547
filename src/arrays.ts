// Arrays as callers hand them over: of any realm, seen by what they hold and not by what their class
// or properties say, each length and each element read once.

const typedArray = Object.getPrototypeOf(Float32Array.prototype);
const getter = (property: PropertyKey): { call(view: unknown): never } =>
  Object.getOwnPropertyDescriptor(typedArray, property)?.get as never;
const [tag, length, buffer, byteOffset] = [
  Symbol.toStringTag,
  "length",
  "buffer",
  "byteOffset",
].map(getter) as [PropertyGetter, PropertyGetter, PropertyGetter, PropertyGetter];
type PropertyGetter = ReturnType<typeof getter>;

/** An array of numbers of any realm. */
export type NumberArray = Float32Array | Uint8Array | Int32Array | BigInt64Array;

/** "Float32Array" and the like, undefined for what is no typed array. */
export function kindOf(value: unknown): string | undefined {
  return tag.call(value);
}

/** Elements of a typed array now: 0 once its buffer is gone or shorter than it. */
export function lengthOf(view: ArrayBufferView): number {
  return length.call(view);
}

export function bufferOf(view: ArrayBufferView): ArrayBufferLike {
  return buffer.call(view);
}

export function byteOffsetOf(view: ArrayBufferView): number {
  return byteOffset.call(view);
}

/**
 * Whether it is a Float32Array, or the Float16Array of newer engines, which converts what is read from
 * and written to it: inside this package it goes by the same type.
 */
export function isFloats(value: unknown): value is Float32Array {
  const kind = kindOf(value);
  return kind === "Float32Array" || kind === "Float16Array";
}

type Kind = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, offset: number, length: number): Float32Array;
};

/** `count` elements from `from` on, by a view that keeps its length whatever its buffer does. */
export function part<View extends ArrayBufferView>(view: View, from: number, count: number): View {
  const Kind = (globalThis as unknown as Record<string, Kind>)[kindOf(view) as string] as Kind;
  const offset = byteOffsetOf(view) + from * Kind.BYTES_PER_ELEMENT;
  return new Kind(bufferOf(view), offset, count) as ArrayBufferView as View;
}

/** A copy of `count` elements of anything with indices. */
export function copyOf<Element>(list: ArrayLike<Element>, count: number): Element[] {
  const copy: Element[] = [];
  for (let index = 0; index < count; index++) copy.push(list[index] as Element);
  return copy;
}

/** The length of an array or what is like one, −1 for anything else; it is read once. */
export function countOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return -1;
  if (kindOf(value)) return lengthOf(value as ArrayBufferView);
  try {
    const count: unknown = (value as { length?: unknown }).length;
    return Number.isSafeInteger(count) && (count as number) >= 0 ? (count as number) : -1;
  } catch {
    // A typed array's heir without the array.
    return -1;
  }
}

/** Whether its buffer has been transferred: by its sender, or by the growth of linear memory. */
export function isDetached(view: ArrayBufferView): boolean {
  try {
    return !new Uint8Array(bufferOf(view));
  } catch {
    return true;
  }
}
