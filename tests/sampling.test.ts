// Sampling of the writing example, each rule against its formula in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../examples/training/random";
import { type Beam, type Decoder, searchBeams } from "../examples/write/generate";
import {
  draw,
  extendBeams,
  greedy,
  keepMinP,
  keepTopK,
  keepTopP,
  logSumExp,
  penalise,
  sample,
  softmax,
} from "../examples/write/sampling";
import { randomArray } from "./engines";

const near = (got: ArrayLike<number>, expected: readonly number[], tolerance = 1e-12) => {
  assert.equal(got.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(got[i] - value) <= tolerance, `${i}: ${got[i]}, not ${value}`);
};

test("greedy: the largest, of equal ones the first", () => {
  assert.equal(greedy(Float32Array.of(-3, 2, 2, 1)), 1);
  assert.equal(greedy(Float32Array.of(-Infinity, -1000)), 1);
  assert.equal(sample(Float32Array.of(0, 5, 4), { temperature: 0 }, seeded(1)), 1);
});

test("softmax with a temperature: e^(x / t) over its sum, of huge logits too", () => {
  const logits = [1, 2, 4, -1];
  for (const temperature of [0.25, 1, 3]) {
    const powers = logits.map((logit) => Math.exp(logit / temperature));
    const sum = powers.reduce((a, b) => a + b);
    near(
      softmax(Float32Array.from(logits), temperature),
      powers.map((power) => power / sum),
    );
  }
  near(softmax(Float32Array.of(1e30, 1e30, -1e30)), [0.5, 0.5, 0]);
  near([logSumExp(Float32Array.of(1000, 1000))], [1000 + Math.LN2]);
});

test("top-k keeps the k likeliest, of equal ones the first", () => {
  near(keepTopK(Float64Array.of(0.1, 0.4, 0.2, 0.3), 2), [0, 4 / 7, 0, 3 / 7]);
  near(keepTopK(Float64Array.of(0.25, 0.25, 0.25, 0.25), 1), [1, 0, 0, 0]);
  near(keepTopK(Float64Array.of(0.6, 0.4), 5), [0.6, 0.4]);
});

test("top-p keeps the fewest that reach the mass, at least one", () => {
  const p = Float64Array.of(0.125, 0.5, 0.25, 0.125);
  near(keepTopP(p, 0.5), [0, 1, 0, 0]);
  near(keepTopP(p, 0.51), [0, 2 / 3, 1 / 3, 0]);
  near(keepTopP(p, 0.8), [1 / 7, 4 / 7, 2 / 7, 0]);
  near(keepTopP(p, 1), [...p]);
  near(keepTopP(p, 0), [0, 1, 0, 0]);
});

test("min-p keeps what has a share of the likeliest", () => {
  const p = Float64Array.of(0.1, 0.4, 0.2, 0.3);
  near(keepMinP(p, 0.5), [0, 4 / 9, 2 / 9, 3 / 9]);
  near(keepMinP(p, 0), [...p]);
  near(keepMinP(p, 1), [0, 1, 0, 0]);
});

test("a penalty divides positive logits of what was written, multiplies others, once each", () => {
  const logits = Float32Array.of(2, -2, 3, 0);
  assert.deepEqual([...penalise(logits, [0, 1, 0, 3], 2)], [1, -4, 3, 0]);
  assert.deepEqual([...logits], [2, -2, 3, 0]);
  const once = { temperature: 0, repetitionPenalty: 2 };
  assert.equal(sample(logits, once, seeded(1), [2]), 0);
});

test("draws are as frequent as probable, never of what is left out", () => {
  const random = seeded(7);
  const probabilities = Float64Array.of(0, 0.5, 0, 0.3, 0.2, 0);
  const counts = new Float64Array(6);
  const draws = 40_000;
  for (let i = 0; i < draws; i++) counts[draw(probabilities, random)]++;
  for (const [id, p] of probabilities.entries()) {
    // Five standard deviations of a binomial count.
    const spread = 5 * Math.sqrt(draws * p * (1 - p));
    assert.ok(Math.abs(counts[id] - draws * p) <= spread, `${id}: ${counts[id]}`);
  }
  const almostOne = { uniform: () => 1 - 2 ** -53, below: () => 0 };
  assert.equal(draw(probabilities, almostOne), 4);
});

test("the filters are applied one after the other: what is drawn is what all of them keep", () => {
  const logits = randomArray(50, 3, 4);
  const sampling = { temperature: 0.7, topK: 12, topP: 0.9, minP: 0.1, repetitionPenalty: 1.3 };
  const recent = [1, 5, 9, 9];
  let kept = softmax(penalise(logits, recent, 1.3), 0.7);
  kept = keepMinP(keepTopP(keepTopK(kept, 12), 0.9), 0.1);
  const possible = new Set(Array.from(kept.keys()).filter((id) => kept[id] > 0));
  assert.ok(possible.size > 1 && possible.size < 12, `${possible.size}`);
  const random = seeded(11);
  const drawn = new Set(
    Array.from({ length: 2000 }, () => sample(logits, sampling, random, recent)),
  );
  assert.deepEqual([...drawn].toSorted(), [...possible].toSorted());
});

test("beams: the best sums of ln probability over all beams", () => {
  const logits = randomArray(3 * 7, 5, 3);
  const scores = [-1, -1.5, -4];
  const all = scores
    .flatMap((score, beam) => {
      const row = [...logits.subarray(beam * 7, beam * 7 + 7)];
      const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
      return row.map((logit, id) => ({ beam, id, score: score + logit - Math.log(sum) }));
    })
    .sort((a, b) => b.score - a.score);
  const got = extendBeams(logits, scores, 5);
  assert.deepEqual(
    got.map(({ beam, id }) => [beam, id]),
    all.slice(0, 5).map(({ beam, id }) => [beam, id]),
  );
  near(
    got.map(({ score }) => score),
    all.slice(0, 5).map(({ score }) => score),
  );
});

// A world of three letters in which what follows depends on all before it.
const logitsAfter = (text: readonly number[]) =>
  randomArray(3, 100 + text.reduce((sum, id) => sum * 3 + id + 1, 0), 2);

/** ln probability of `ids` after the letter 0. */
const scoreOf = (ids: readonly number[]) =>
  ids.reduce((sum, id, at) => {
    const logits = logitsAfter([0, ...ids.slice(0, at)]);
    return sum + logits[id] - Math.log(logits.reduce((total, x) => total + Math.exp(x), 0));
  }, 0);

function world(): Decoder {
  let texts: number[][] = [[]];
  return {
    append(ids) {
      texts = texts.map((text, b) => [...text, ...ids[b]]);
      const data = Float32Array.from(texts.flatMap((text) => [...logitsAfter(text)]));
      return { logits: { data, dims: [texts.length, 3] } };
    },
    reorder(order) {
      texts = order.map((from) => texts[from].slice());
    },
  };
}

function checkBeams(found: readonly Beam[], best: readonly { ids: number[]; score: number }[]) {
  assert.deepEqual(
    found.map(({ ids }) => ids),
    best.map(({ ids }) => ids),
  );
  near(
    found.map(({ score }) => score),
    best.map(({ score }) => score),
    1e-9,
  );
}

test("as many beams as there are texts find all of them, the likeliest first", () => {
  const found = [...searchBeams(world(), { beams: 27, ids: [0], length: 3 })].at(-1) ?? [];
  const digits = [0, 1, 2];
  const every = digits.flatMap((a) => digits.flatMap((b) => digits.map((c) => [a, b, c])));
  const best = every.map((ids) => ({ ids, score: scoreOf(ids) }));
  checkBeams(
    found,
    best.sort((a, b) => b.score - a.score),
  );
});

test("texts that end are compared with those that go on by ln probability a piece", () => {
  const wanted = { beams: 15, ids: [0], length: 3, end: 2 };
  const found = [...searchBeams(world(), wanted)].at(-1) ?? [];
  const letters = [0, 1];
  const words: number[][] = [
    [],
    ...letters.map((a) => [a]),
    ...letters.flatMap((a) => letters.map((b) => [a, b])),
  ];
  const ended = words.map((ids) => ({ ids, score: scoreOf([...ids, 2]), pieces: ids.length + 1 }));
  const going = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => [a, b, c])));
  const all = [...ended, ...going.map((ids) => ({ ids, score: scoreOf(ids), pieces: 3 }))];
  checkBeams(
    found,
    all.sort((a, b) => b.score / b.pieces - a.score / a.pieces),
  );
  assert.equal(found.filter((beam) => beam.ended).length, 7);
});

test("as many ended texts as beams are enough", () => {
  // The end is all there is.
  const logits = { data: Float32Array.of(0, -50, -50), dims: [1, 3] };
  const sure: Decoder = { append: () => ({ logits }), reorder: () => assert.fail("it goes on") };
  const steps = [...searchBeams(sure, { beams: 1, ids: [0], length: 9, end: 0 })];
  assert.equal(steps.length, 1);
  assert.deepEqual(steps[0][0].ids, []);
  assert.ok(steps[0][0].ended && Math.abs(steps[0][0].score) < 1e-20);
});
