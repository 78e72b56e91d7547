// The language model of examples/write: causal, with distances as ALiBi has them, four layers of four heads.

import type { Tensor } from "wasm-attention";
import { type AttendOptions, type Attention, tensor } from "wasm-attention";
import { logSoftmax } from "wasm-attention/blocks";
import type { CacheNumbers } from "wasm-attention/cache";
import { entmax15, spanAttend, sparsemax } from "wasm-attention/variants";
import { unpackModel } from "../../write/weights";
import { Writer } from "../../write/writer";
import { type Explored, IN_INTEGERS, percent, type Settings, settingOf } from "./model";
import { spansOf } from "./spans";

/** Over float32 with these options, or over a cache of these numbers. */
type How = Plain | CacheNumbers;

interface Plain
  extends Pick<AttendOptions, "alibi" | "normalizer" | "precision" | "softcap" | "window"> {
  /** Each head as far as its weights reach. */
  readonly spans?: boolean;
}

export async function exploreWriter(
  attention: Attention<"positions" | "cache" | "blocks" | "integers" | "variants">,
  bytes: Uint8Array,
): Promise<Explored> {
  const writer = new Writer(attention, await unpackModel(bytes));
  const { alibi } = writer;
  const { vocabulary, shape } = writer.model;
  const settings: Settings<How> = {
    "as it was trained": { alibi },
    "a window of 8 pieces": { alibi, window: { left: 7 } },
    "scores capped at 2": { alibi, softcap: 2 },
    "without distances": {},
    "entmax of 1.5 instead of softmax": { alibi, normalizer: entmax15 },
    "sparsemax instead of softmax": { alibi, normalizer: sparsemax },
    "each head's span": { alibi, spans: true },
    ...Object.fromEntries(
      Object.entries(IN_INTEGERS).map(([name, how]) => [name, { alibi, ...how }]),
    ),
    "keys and values in int16": "int16",
    "keys and values in int8": "int8",
    "keys and values in int4": "int4",
  };
  return {
    settings: Object.keys(settings),
    beginning:
      "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, I thought I would sail about a little and see the watery part of the world.",
    look(text, setting) {
      const ids = vocabulary.encode(text);
      const how = settingOf(settings, setting);
      const read = typeof how === "string" ? stored(writer, ids, how) : plain(ids, how);
      const rows = ids.map((id) => vocabulary.added(id));
      return {
        maps: { ...read.maps, rows, causal: true },
        says: `${sayNext(attention, read.logits, ids, (id) => vocabulary.added(id))}${read.note}`,
      };
    },
  };

  function plain(ids: readonly number[], { spans, ...how }: Plain) {
    const [weights, query, key]: [Tensor[], Tensor[], Tensor[]] = [[], [], []];
    const { heads } = shape;
    const reach: string[] = [];
    let zeros = 0;
    const logits = writer.read(
      [ids],
      (_, q, k, v) => {
        const options = { ...how, layout: "BLE", heads, causal: true, weights: true } as const;
        let attended = attention.attend(q, k, v, options);
        if (spans) {
          const each = spansOf(attended.weights);
          reach.push(each.join(", "));
          const { normalizer: _, precision: __, ...given } = options;
          attended = spanAttend(attention, q, k, v, { ...given, spans: each, ramp: 8 });
        }
        zeros += attended.weights.data.filter((weight) => weight === 0).length;
        weights.push(attended.weights);
        query.push(headsOf(q, heads));
        key.push(headsOf(k, heads));
        return attended.output;
      },
      true,
    );
    const { window, normalizer } = how;
    const seen = (weights.length * heads * ids.length * (ids.length + 1)) / 2;
    const all = weights.length * heads * ids.length ** 2;
    const note = spans
      ? `; 95 % of what its heads weigh lies within ${reach.join(" | ")} pieces`
      : normalizer
        ? `; ${percent((zeros - (all - seen)) / seen)} of the weights are 0`
        : "";
    return { logits, note, maps: { weights, query, key, ...(window && { window }) } };
  }
}

function stored(writer: Writer, ids: readonly number[], numbers: CacheNumbers) {
  const texts = writer.begin(1, numbers);
  const { logits, weights } = texts.append([ids], { weights: true, every: true });
  texts.dispose();
  return { logits, note: "", maps: { weights } };
}

/** [1, L, heads · size] → [heads, L, size] */
function headsOf({ data, dims: [, length, all] }: Tensor, heads: number): Tensor {
  const size = all / heads;
  const rows = new Float32Array(data.length);
  for (let head = 0; head < heads; head++)
    for (let row = 0; row < length; row++) {
      const from = row * all + head * size;
      rows.set(data.subarray(from, from + size), (head * length + row) * size);
    }
  return tensor(rows, [heads, length, size]);
}

/** The likeliest next piece, and how well the text itself was foretold. */
function sayNext(
  attention: Attention<"blocks">,
  logits: Tensor,
  ids: readonly number[],
  read: (id: number) => string,
): string {
  const { data } = logSoftmax(attention, logits);
  const classes = logits.dims.at(-1) as number;
  let loss = 0;
  for (let at = 1; at < ids.length; at++) loss -= data[(at - 1) * classes + ids[at]];
  const last = data.subarray((ids.length - 1) * classes, ids.length * classes);
  const best = last.indexOf(Math.max(...last));
  const next = `Next: “${read(best).trim() || "¶"}” (${percent(Math.exp(last[best]))})`;
  if (ids.length < 2) return next;
  return `${next}; the text itself at ${(loss / (ids.length - 1)).toFixed(3)} nats a piece`;
}
