// What a caller passes is read once and cannot be changed under a call: dims, lengths, elements and
// sizes that answer differently the second time, and getters that use the engine meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attendPacked,
  DisposedError,
  linear,
  mergeStates,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { rotate, sinusoidalPositions } from "wasm-attention/positions";
import { attendBackward, linearBackward } from "wasm-attention/training";
import { engine, randomArray, type Whole } from "./engines";

const dims = [1, 2, 3, 4];
const data = randomArray(24, 1);
const x = tensor(data, dims);

/** An object whose property gives one value after another, the last one for ever. */
function turning<Value extends object>(value: Value, property: keyof Value, ...values: unknown[]) {
  let asked = 0;
  Object.defineProperty(value, property, {
    get: () => values[Math.min(asked++, values.length - 1)],
  });
  return value;
}

/** [5] elements in a row of canaries. */
async function guarded(): Promise<{ attention: Whole; intact: () => void }> {
  const attention = await engine("portable");
  const hole = attention.allocate([1 << 14]);
  const canary = attention.allocate([1 << 14]);
  canary.data.fill(1.5);
  hole.dispose();
  return { attention, intact: () => assert.ok(canary.data.every((number) => number === 1.5)) };
}

test("the dims of an allocated tensor stay what they are", async () => {
  const attention = await engine("portable");
  using allocated = attention.allocate([2, 3]) as Tensor & Disposable;
  const { data: _, ...rest } = { ...allocated };
  assert.deepEqual(rest, {});
  const hostile: (() => unknown)[] = [
    () => Object.assign(allocated, { dims: [1000, 1000] }),
    () => Object.assign(allocated.dims, { 0: 1000 }),
    () => Object.defineProperty(allocated, "dims", { value: [1000, 1000] }),
    () => Object.defineProperty(allocated, "data", { value: new Float32Array(1) }),
    () => Object.setPrototypeOf(allocated, null),
  ];
  for (const change of hostile) assert.throws(change, TypeError);
  assert.deepEqual(allocated.dims, [2, 3]);
  assert.equal(allocated.data.length, 6);
  const given = [2, 3];
  using other = attention.allocate(given);
  given[0] = 1000;
  assert.deepEqual(other.dims, [2, 3]);
});

test("the dims of a result are its own", async () => {
  const attention = await engine("portable");
  const given = { data, dims: [...dims] };
  using allocated = attention.allocate(dims);
  allocated.data.set(data);
  using weight = prepareLinear(attention, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
  for (const input of [given, allocated]) {
    const state = attention.attend(input, input, input, { logSumExp: true });
    const backward = attendBackward(attention, {
      ...state,
      query: input,
      key: input,
      value: input,
      outputGradient: input,
    });
    const results: Tensor[] = [
      attention.attend(input, input, input).output,
      rotate(attention, input),
      linear(attention, input, weight),
      mergeStates(attention, [state]).output,
      backward.queryGradient,
      backward.keyGradient,
      backward.valueGradient,
      linearBackward(attention, input, input, weight).inputGradient as Tensor,
      tensor(data, given.dims),
    ];
    for (const result of results) (result.dims as number[])[0] = 1000;
    assert.deepEqual(input.dims, dims);
    assert.equal(new Set(results.map((result) => result.dims)).size, results.length);
  }
});

test("nor do the next call's dims follow those that the last one gave or was given", async () => {
  const attention = await engine("portable");
  const ask = { logSumExp: true, weights: true, scores: "raw" } as const;
  const given = { data, dims: [...dims] };
  const changed = attention.attend(given, given, given, ask);
  for (const result of Object.values(changed)) (result.dims as number[]).fill(1000);
  given.dims.splice(0, 4, 2, 1, 4, 3);
  const next = attention.attend(given, given, given, ask);
  assert.deepEqual(next.output.dims, [2, 1, 4, 3]);
  assert.deepEqual(next.logSumExp.dims, [2, 1, 4]);
  const again = attention.attend(x, x, x, ask);
  assert.deepEqual(again.output.dims, dims);
  assert.deepEqual(again.logSumExp.dims, [1, 2, 3]);
  assert.deepEqual(again.weights.dims, [1, 2, 3, 3]);
  assert.deepEqual(again.scores.dims, [1, 2, 3, 3]);
});

test("the sizes of a prepared weight stay what they are", async () => {
  const { attention, intact } = await guarded();
  const weight = prepareLinear(attention, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
  const want = linear(attention, x, weight).data;
  for (const name of ["inputSize", "outputSize"] as const) {
    assert.throws(() => Object.assign(weight, { [name]: 4000 }), TypeError);
    Object.defineProperty(weight, name, { value: 4000 });
  }
  Object.defineProperty(weight, "weightDims", { value: [4000, 4000] });
  assert.deepEqual(linear(attention, x, weight).data, want);
  assert.throws(() => linear(attention, tensor(new Float32Array(4000), [1, 4000]), weight), {
    argument: "x.dims",
  });
  assert.deepEqual(linearBackward(attention, x, x, weight).weightGradient.dims, [4, 4]);
  intact();
});

test("tensors, dims and lists that answer differently the second time", async () => {
  const { attention, intact } = await guarded();
  const plain = attention.attend(x, x, x, { keyLengths: [2], sinks: [0, 1], queryOffset: [1] });
  const long = [1, 2, 3000, 4000];
  const makes: Record<string, () => Tensor> = {
    dims: () => turning({ data, dims }, "dims", dims, long),
    data: () => turning({ data, dims }, "data", data, new Float32Array(1), data),
    size: () => ({ data, dims: turning([...dims], 2, 3, 3000) }),
    proxy: () => {
      let asked = 0;
      const list = new Proxy([...dims], {
        get: (target, key) => (asked++ > 8 && key === "2" ? 3000 : Reflect.get(target, key)),
      });
      return { data, dims: list };
    },
  };
  for (const [name, make] of Object.entries(makes)) {
    const options = { keyLengths: [2], sinks: [0, 1], queryOffset: [1], out: make() };
    const { output } = attention.attend(make(), make(), make(), options);
    assert.deepEqual(output.data, plain.output.data, name);
    assert.deepEqual(output.dims, dims, name);
    // It was written to.
    data.set(randomArray(24, 1));
  }
  const lists = {
    keyLengths: () => turning([0], 0, 2, 3000),
    sinks: () => turning({ 0: 0, 1: 1, length: 0 }, "length", 2, 3000),
    queryOffset: () => turning({ 0: 1, length: 0 }, "length", 1, 3000),
  };
  const options = { keyLengths: lists.keyLengths(), sinks: lists.sinks(), queryOffset: [1] };
  assert.deepEqual(attention.attend(x, x, x, options).output, plain.output);
  const offset = { keyLengths: [2], sinks: [0, 1], queryOffset: lists.queryOffset() };
  assert.deepEqual(attention.attend(x, x, x, offset).output, plain.output);

  const positions = { 0: 1, 1: 2, 2: 3, length: 0 };
  const turned = rotate(attention, x, { positions: [1, 2, 3] });
  assert.deepEqual(
    rotate(attention, x, { positions: turning(positions, "length", 3, 3000) }).data,
    turned.data,
  );
  const sizes = turning([1, 1], 0, 1, 200);
  const sections = { sizes, interleaved: true };
  const three = [1, 2, 3, 1, 2, 3];
  rotate(attention, x, { positions: three, sections });

  const cumulative = turning([0, 1, 3], 1, 1, 3000);
  const rows = tensor(data, [3, 2, 4]);
  const want = attendPacked(attention, rows, rows, rows, { cumulativeQueries: [0, 1, 3] });
  const packed = attendPacked(attention, rows, rows, rows, {
    cumulativeQueries: cumulative,
    cumulativeKeys: [0, 1, 3],
  });
  assert.deepEqual(packed, want);

  const state = { output: x, logSumExp: tensor(new Float32Array(6), [1, 2, 3]) };
  const merged = mergeStates(attention, [state, state]);
  const parts = turning([state, state], "map" as never, () => []);
  assert.deepEqual(mergeStates(attention, parts), merged);

  const table = sinusoidalPositions(attention, { positions: [1, 2], size: 4 });
  const asked = turning([0, 2], 0, 1, Number.NaN);
  assert.deepEqual(sinusoidalPositions(attention, { positions: asked, size: 4 }), table);
  intact();
});

test("masks that answer differently the second time", async () => {
  const { attention, intact } = await guarded();
  const mask = { data: Uint8Array.of(1, 0, 1), dims: [3] };
  const want = attention.attend(x, x, x, { mask }).output;
  const other = { data: new Uint8Array(9), dims: [3, 3] };
  for (const property of ["data", "dims"] as const) {
    const changing = turning({ ...mask }, property, mask[property], other[property]);
    assert.deepEqual(attention.attend(x, x, x, { mask: changing }).output, want, property);
  }
  intact();
});

test("getters that use the engine while a call reads its arguments", async () => {
  const attention = await engine("portable");
  using weight = prepareLinear(attention, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
  const other = tensor(randomArray(6, 3), [3, 2]);
  const busy = (): Tensor => ({
    get data() {
      attention.attend(other, other, other, { causal: true, scale: 3 });
      attention.allocate([1 << 15]);
      return data;
    },
    get dims() {
      rotate(attention, other);
      return dims;
    },
  });
  const state = attention.attend(x, x, x, { logSumExp: true });
  const calls: [(x: () => Tensor) => Tensor | undefined][] = [
    [(x) => attention.attend(x(), x(), x()).output],
    [
      (x) =>
        attendBackward(attention, {
          ...state,
          query: x(),
          key: x(),
          value: x(),
          outputGradient: x(),
        }).keyGradient,
    ],
    [(x) => rotate(attention, x())],
    [(x) => linear(attention, x(), weight)],
    [(x) => linearBackward(attention, x(), x(), weight).weightGradient],
    [(x) => mergeStates(attention, [{ output: x(), logSumExp: state.logSumExp }]).output],
    [(x) => attention.attend(x(), x(), x(), { out: x() }).output],
  ];
  for (const [call] of calls) {
    const want = call(() => tensor(data.slice(), dims));
    assert.deepEqual(call(busy)?.data, want?.data);
    data.set(randomArray(24, 1));
  }
});

test("what a getter disposes is disposed for the call it belongs to", async () => {
  const attention = await engine("portable");
  const gone = attention.allocate(dims);
  const disposing: Tensor = {
    dims,
    get data() {
      gone.dispose();
      return data;
    },
  };
  assert.throws(() => attention.attend(gone, disposing, x), DisposedError);
  const weight = prepareLinear(attention, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
  const letting: Tensor = {
    dims,
    get data() {
      weight.dispose();
      return data;
    },
  };
  assert.throws(() => linear(attention, letting, weight), DisposedError);
});
