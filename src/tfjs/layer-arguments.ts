// Arguments of the layers' constructors: Keras's names, or the same in camel case, and what each may be.

import type { layers } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { unknownName } from "../check/unknown";
import { describe } from "../errors";

export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

type Snake<Name extends string> = Name extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : Name;

/** The same under Keras's names: num_heads, key_dim and so on. */
export type SnakeCase<Args> = { [Name in keyof Args as Snake<Name & string>]: Args[Name] };

/** Whom errors name: the class, and which of its layers. */
export const layerName = (className: string, name: unknown): string =>
  typeof name === "string" ? `${className} ${describe(name)}` : className;

/** Those of every layer of TensorFlow.js. */
const ofLayers = [
  "inputShape",
  "batchInputShape",
  "batchSize",
  "dtype",
  "name",
  "trainable",
  "weights",
  "inputDType",
];

export type Given = Record<string, unknown>;

/** Names in camel case; what is null is left out, as Keras means it. */
export function camelCase(className: string, args: unknown, expected: string): Given {
  if (typeof args !== "object" || args === null) {
    throw new ArgumentError(className, "args", expected, describe(args));
  }
  const camel = (name: string) => name.replace(/_+(\w)/g, (_, letter) => letter.toUpperCase());
  const given = Object.entries(args).filter(([, value]) => value !== null && value !== undefined);
  const named = Object.fromEntries(given.map(([name, value]) => [camel(name), value]));
  for (const [name, value] of given) {
    if (named[camel(name)] === value) continue;
    const operation = layerName(className, named.name);
    throw new ArgumentError(operation, name, `one value with ${camel(name)}`, "two");
  }
  return named;
}

/** Names that a layer knows. */
export interface Known {
  readonly names: readonly string[];
  /** In configurations of Keras, and without meaning here. */
  readonly passedOver: readonly string[];
  /** In configurations of Keras, and not to be had here. */
  readonly refused: readonly string[];
}

/** @throws ArgumentError for a name that does not exist, with the likely one. */
export function checkNames(operation: string, given: Given, known: Known): void {
  const names = [...known.names, ...ofLayers];
  for (const name of Object.keys(given)) {
    if (names.includes(name) || known.passedOver.includes(name)) continue;
    if (!known.refused.includes(name)) throw unknownName(operation, name, names);
    if (given[name] === false) continue;
    const expected = "no value: it is not supported";
    throw new ArgumentError(operation, name, expected, describe(given[name]));
  }
}

/** A share that is dropped, and from what the draws follow. */
export interface DropoutSettings {
  readonly dropout: number;
  readonly seed: number | null;
}

export function checkDropout(
  operation: string,
  { dropout = 0, seed = null }: Given,
): DropoutSettings {
  if (!(typeof dropout === "number" && dropout >= 0 && dropout < 1)) {
    const expected = "a number from 0 to less than 1";
    throw new ArgumentError(operation, "dropout", expected, describe(dropout));
  }
  if (seed !== null && !(Number.isInteger(seed) && isIn(seed as number, 0, 2 ** 32))) {
    const expected = "an integer from 0 to 2³² − 1";
    throw new ArgumentError(operation, "seed", expected, describe(seed));
  }
  return { dropout, seed: seed as number | null };
}

/** @throws ArgumentError unless TensorFlow.js, or who calls the layer, says so by a boolean. */
export function isTraining(operation: string, training: unknown): boolean {
  return checkBoolean(operation, "training", training ?? undefined, false);
}

const isIn = (value: number, from: number, end: number) => value >= from && value < end;

export function checkSize(operation: string, argument: string, value: unknown): number {
  if (Number.isInteger(value) && isIn(value as number, 1, 2 ** 31)) return value as number;
  throw new ArgumentError(operation, argument, "an integer from 1", describe(value));
}

export function checkBoolean(
  operation: string,
  argument: string,
  value: unknown,
  byDefault: boolean,
): boolean {
  if (value === undefined) return byDefault;
  if (typeof value === "boolean") return value;
  throw new ArgumentError(operation, argument, "a boolean", describe(value));
}

/** Seeds of a layer's calls: neighbouring ones drop weights that have nothing in common. */
export function seedsFrom(seed: number | null): () => number {
  const first = seed ?? Math.floor(Math.random() * 2 ** 32);
  let calls = 0;
  return () => first + 2 ** 32 * (calls++ % 2 ** 20);
}
