// Options objects: each option is read once, into an object of our own, and one that does not exist
// is an error that names the one which was meant.

import { ArgumentError, describe } from "../errors";

/** Reads the options of an operation, or those nested in its option `argument`. */
export type Reader<T> = (operation: string, given: unknown, argument?: string) => T;

/** Every option that there is. */
export type Names<T> = { readonly [Name in keyof T]-?: 1 };

/**
 * A reader of these options; `expected` describes an object of them. Of a plain object its own
 * enumerable properties are read, of an instance of a class also what it inherits.
 */
export function reader<T extends object>(options: Names<T>, expected = "an object"): Reader<T> {
  const names = Object.keys(options);
  const known = new Set(names);
  return (operation, given, argument) => {
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      throw new ArgumentError(operation, argument ?? "options", expected, describe(given));
    }
    const from = given as Record<string, unknown>;
    const read: Record<string, unknown> = {};
    // Few are given, and a literal of all of them takes longer than a small call may.
    const own = isPlain(given);
    const at = argument ?? "options";
    if (!own) refuseOther(operation, given, at, expected, known);
    for (const name in from) {
      if (known.has(name)) {
        if (own) read[name] = from[name];
      } else if (isGiven(from, name)) {
        refuseOther(operation, given, at, expected, known);
        refuse(operation, name, names, argument);
      }
    }
    if (!own) for (const name of names) read[name] = from[name];
    return read as T;
  };
}

/** Whether it is no instance of a class, in any realm; what is no object at all is plain too. */
export function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Of a name that is shown. */
const MOST_LETTERS = 60;

/** Not options that are undefined, nor what others put on Object.prototype. */
function isGiven(from: Record<string, unknown>, name: string): boolean {
  const everywhere = Object.prototype;
  if (name in everywhere && !everywhere.hasOwnProperty.call(from, name)) return false;
  return from[name] !== undefined;
}

/** PyTorch's `layer(query, key, value)`, a mask where the options go, a Map or a Promise of them. */
function refuseOther(
  operation: string,
  given: object,
  argument: string,
  expected: string,
  known: ReadonlySet<string>,
): void {
  const tensor = "data" in given && "dims" in given && !known.has("data");
  // What the language itself calls something else, in any realm, has no options: they would be left out.
  if (!tensor && Object.prototype.toString.call(given) === "[object Object]") return;
  throw new ArgumentError(operation, argument, expected, tensor ? "a tensor" : describe(given));
}

function refuse(
  operation: string,
  name: string,
  names: readonly string[],
  argument?: string,
): never {
  const shown = name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS)}…` : name;
  const likely = likelyName(shown, names);
  const expected =
    HINTS[plain(name)] ?? (likely ? `the name "${likely}"` : `one of ${names.join(", ")}`);
  const at = argument ? `${argument}.${shown}` : shown;
  throw new ArgumentError(operation, at, expected, "an option that does not exist");
}

/** A name's letters and digits, for words that are spelt by another convention. */
const plain = (word: string) => word.toLowerCase().replace(/[^a-z0-9]/g, "");

const ZEROS = "appended: appendedKeys({ addZeroAttention: true })";

/** Where another name would not say enough. */
const HINTS: Record<string, string> = {
  keypaddingmask:
    "keyLengths, or a mask of dims [B, 1, 1, S] where 1 takes part (in PyTorch's 1 is left out)",
  enablegqa: "nothing: heads are shared where the key has fewer",
  signal: "the …Async form of the call",
  addzeroattention: ZEROS,
  addzeroattn: ZEROS,
};

/** What others call it, where the words have no letters in common: theirs without case and underscores. */
const ALIASES: Record<string, string> = {
  bias: "mask",
  attnbias: "mask",
  kvheads: "keyValueHeads",
  numkvheads: "keyValueHeads",
  kvnumheads: "keyValueHeads",
  cuseqlensq: "cumulativeQueries",
  cuseqlensk: "cumulativeKeys",
  returnattentionscores: "weights",
  outputattentions: "weights",
  gradoutput: "outputGradient",
  dout: "outputGradient",
  training: "extensions",
  lse: "logSumExp",
  returnlse: "logSumExp",
  ropetheta: "base",
  theta: "base",
  before: "left",
  after: "right",
  p: "probability",
  rate: "probability",
  interleaved: "pairing",
  bo: "denseBias",
  wo: "dense",
  epsilon: "eps",
  dim: "axis",
  bits: "numbers",
};

/** The name that was meant: what others call it, one that it contains or is part of, or one nearly spelt alike. */
export function likelyName(name: string, names: readonly string[]): string | undefined {
  const word = plain(name);
  const alias = ALIASES[word];
  if (alias && names.includes(alias)) return alias;
  const near = (other: string) => {
    const whole = plain(other);
    const edits = distance(word, whole);
    if (edits <= Math.max(1, Math.min(word.length, whole.length) / 3)) return edits;
    const within = (part: string, all: string) => part.length > 3 && all.includes(part);
    return within(whole, word) || within(word, whole) ? word.length : Infinity;
  };
  const [best] = names.map((other) => ({ other, edits: near(other) })).sort(nearest);
  return best && best.edits < Infinity ? best.other : undefined;
}

type Near = { readonly other: string; readonly edits: number };
/** Of two that it contains the longer one. */
const nearest = (a: Near, b: Near) =>
  a.edits === b.edits ? b.other.length - a.other.length : a.edits - b.edits;

/** Letters to add, leave out or change (Levenshtein 1966), and neighbours that changed places. */
function distance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = swapped ? Math.min(least, before[j - 2]! + 1) : least;
    }
    [before, last] = [last, row];
  }
  return last[b.length] as number;
}
