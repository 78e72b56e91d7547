// The other attentions, each beside what it is to be held against: additive scores beside tfjs, a gated state beside
// onnxruntime-web's, and what else attend could have been asked for beside our own softmax.

import { type AllocatedTensor, type Attention, tensor } from "wasm-attention";
import {
  additiveAttention,
  entmax15,
  linearAttention,
  spanAttend,
  sparsemax,
} from "wasm-attention/variants";
import { beside } from "./beside";
import { operationsOf, random } from "./cases";
import { exchanged, paired, type Work } from "./paired";
import type { Case, Peer } from "./peers/peer";
import type { Report } from "./rows";

type Bench = (
  attention: Attention<"variants">,
  peers: readonly Peer[],
  report: Report,
) => Promise<void>;

const heads = (count: number, n: number, d: number, causal = false): Case => ({
  ...{ heads: count, n, d, causal },
});

export const variantBenches: readonly Bench[] = [
  ...[512, 1024, 2048].flatMap((n) => [1, 3].map((spread) => entmaxOverSoftmax(n, spread))),
  additive,
  spanOverWindow,
  ...([1, 64] as const).flatMap((size) => [gatedBesidePeers(size), gatedOverSoftmax(size)]),
];

/** Query, key, value and output, in linear memory. */
function allocated(
  attention: Attention<"variants">,
  { heads: count, n, d }: Case,
  spread = 1,
): readonly [AllocatedTensor, AllocatedTensor, AllocatedTensor, AllocatedTensor] {
  const made = [1, 2, 3, 4].map((seed) => {
    const each = attention.allocate([1, count, n, d]);
    each.data.set(random(count * n * d + seed, seed === 1 ? spread : 1).subarray(seed));
    return each;
  });
  return made as [AllocatedTensor, AllocatedTensor, AllocatedTensor, AllocatedTensor];
}

/** How many times the peer's time ours takes; both are our own. */
async function over(
  attention: Attention<"variants">,
  facts: Case & { readonly op: string; readonly peer: string },
  [ours, theirs]: readonly [ours: Work, theirs: Work],
  report: Report,
): Promise<void> {
  const { variant: build, threads } = attention;
  const pair = exchanged(await paired(theirs, ours));
  report({ build, threads, place: "allocated", ...facts, ...pair });
}

/** Scores of a deviation of a third of `spread`: the wider, the fewer keys have weight. */
function entmaxOverSoftmax(n: number, spread: number): Bench {
  return async (attention, _, report) => {
    const c = heads(12, n, 64);
    const [q, k, v, out] = allocated(attention, c, spread);
    const attend = (normalizer?: typeof entmax15) => () =>
      void attention.attend(q, k, v, { out, normalizer });
    for (const normalizer of [entmax15, sparsemax]) {
      const facts = { op: `variants ${normalizer.name}, q · ${spread}`, ...c, peer: "our softmax" };
      await over(attention, facts, [attend(normalizer), attend()], report);
    }
    for (const made of [q, k, v, out]) made.dispose();
  };
}

async function spanOverWindow(
  attention: Attention<"variants">,
  _: readonly Peer[],
  report: Report,
): Promise<void> {
  const c = heads(12, 8192, 64, true);
  const [q, k, v, out] = allocated(attention, c);
  const facts = { op: "variants span 256", ...c, peer: "our window 256" };
  const span = () => void spanAttend(attention, q, k, v, { out, causal: true, spans: 256 });
  const window = () => void attention.attend(q, k, v, { out, causal: true, window: { left: 256 } });
  await over(attention, facts, [span, window], report);
  for (const made of [q, k, v, out]) made.dispose();
}

async function additive(
  attention: Attention<"variants">,
  peers: readonly Peer[],
  report: Report,
): Promise<void> {
  const c = heads(1, 256, 128);
  const [query, key, value] = [0, 1, 2].map((i) => random(256 * 128 + i).subarray(i));
  const scoreWeight = random(128, 0.5);
  const [q, k, v] = [query, key, value].map((data) => tensor(data, [1, 1, 256, 128]));
  let output = new Float32Array(0) as Float32Array;
  const { variant: build, threads } = attention;
  await beside(
    {
      facts: { op: "variants additive", build, threads, ...c, place: "Float32Arrays" },
      run() {
        output = additiveAttention(attention, q, k, v, { scoreWeight }).output.data;
      },
      output: () => output,
      operations: operationsOf(c),
    },
    peers.map(({ name, additive: make }) => ({
      name,
      prepare: make && (() => make(c, [query, key, value], scoreWeight)),
    })),
    report,
  );
}

const gatedCase = heads(12, 8192, 64, true);

/** Some hundred tokens until a state is forgotten, of a head or of each of its rows apart. */
const decayOf = ({ heads: count, n }: Case, size: number) =>
  random(count * n * size, 0.01).map((x) => x - 0.0101);

function gatedBesidePeers(size: 1 | 64): Bench {
  return async (attention, peers, report) => {
    const c = gatedCase;
    const [elements, dims] = [c.heads * c.n * c.d, [1, c.heads, c.n, c.d]];
    const [query, key, value] = [0, 1, 2].map((i) => random(elements + i).subarray(i));
    const given = decayOf(c, size);
    const [q, k, v] = [query, key, value].map((data) => tensor(data, dims));
    const decay = tensor(given, [1, c.heads, c.n, size]);
    let output = new Float32Array(0) as Float32Array;
    const { variant: build, threads } = attention;
    await beside(
      {
        facts: { op: `variants gated by ${size}`, build, threads, ...c, place: "Float32Arrays" },
        run() {
          output = linearAttention(attention, q, k, v, { updateRule: "gated", decay }).output.data;
        },
        output: () => output,
        operations: operationsOf(c),
      },
      peers.map(({ name, gated: make }) => ({
        name,
        prepare: make && (() => make(c, [query, key, value], given)),
      })),
      report,
    );
  };
}

function gatedOverSoftmax(size: 1 | 64): Bench {
  return async (attention, _, report) => {
    const c = { ...gatedCase, causal: false };
    const [q, k, v, output] = allocated(attention, c);
    const decay = attention.allocate([1, c.heads, c.n, size]);
    decay.data.set(decayOf(c, size));
    const { variant: build, threads } = attention;
    const options = { updateRule: "gated", decay, out: { output } } as const;
    const gated = () => void linearAttention(attention, q, k, v, options);
    for (const causal of [false, true]) {
      const softmax = () => void attention.attend(q, k, v, { out: output, causal });
      const facts = { op: `variants gated by ${size}`, ...c, causal, peer: "our softmax" };
      const pair = await paired(gated, softmax);
      report({ ...facts, build, threads, place: "allocated", ...pair });
    }
    for (const made of [q, k, v, output, decay]) made.dispose();
  };
}
