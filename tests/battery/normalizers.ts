// Cases of attend with a normalizer, of functions on its weights, and of latents.

import type { Tensor } from "wasm-attention";
import { filled } from "./numbers";
import type { Operation } from "./operations";

const { values } = Object;

export const normalized: readonly Operation[] = [
  [
    "normalizers in attend, packed sequences and the layer, and back",
    (attention, wasm) => {
      const [query, key] = [filled([150, 4, 16], 691, 4), filled([150, 2, 16], 692, 4)];
      const normalizer = wasm.alphaEntmax([1.25, 1.5, 2, 3]);
      const options = { cumulativeQueries: [0, 70, 150], causal: true, normalizer } as const;
      const { output } = wasm.attendPacked(attention, query, key, key, options);
      const pass = { query, key, value: key, outputGradient: filled(output.dims, 693) };
      const back = wasm.attendPackedBackward(attention, pass, options);
      const projection = (seed: number) =>
        ({ weight: filled([12, 12], seed), order: "in,out" }) as const;
      using layer = new wasm.MultiHeadAttention(
        attention,
        { heads: 3 },
        {
          ...{ query: projection(694), key: projection(695) },
          ...{ value: projection(696), output: projection(697) },
        },
      );
      const x = filled([2, 20, 12], 698, 3);
      const passed = layer.forward(x, { normalizer: wasm.entmax15, record: true });
      using record = passed.record;
      const { weights, ...rest } = wasm.multiHeadBackward(layer, x, record);
      const matrices = values(weights).map(({ weight }) => weight);
      return [output, ...values(back), passed.output, ...matrices, ...values(rest)];
    },
  ],
  [
    "weights and scores that functions change, and back",
    (attention, wasm) => {
      const [query, key] = [filled([2, 2, 20, 9], 701, 3), filled([2, 2, 140, 9], 702, 3)];
      const value = filled([2, 2, 140, 7], 703);
      const times = (numbers: Float32Array, by: number) => {
        for (let i = 0; i < numbers.length; i++) numbers[i] *= by;
      };
      return ([undefined, wasm.sparsemax] as const).flatMap((within) => {
        const normalizer = wasm.modifiedWeights({
          weightMod: ({ weights }) => times(weights, 0.75),
          weightModGradient: ({ gradients }) => times(gradients, 0.75),
          normalizer: within,
        });
        const forward = {
          normalizer,
          softcap: 4,
          causal: "lower-right",
          scoreMod: ({ scores }: { readonly scores: Float32Array }) => times(scores, 1.5),
        } as const;
        const { output, weights } = attention.attend(query, key, value, {
          ...forward,
          weights: true,
        });
        const pass = { query, key, value, outputGradient: filled(output.dims, 704) };
        const back = wasm.attendBackward(attention, pass, {
          ...forward,
          scoreModGradient: ({ gradients }) => times(gradients, 1.5),
        });
        return [output, weights, ...values(back)];
      });
    },
  ],
  [
    "normmax and budgets in attend, and back to masks and slopes",
    (attention, wasm) => {
      const [query, key] = [filled([2, 2, 70, 9], 721, 3), filled([2, 2, 140, 9], 722, 3)];
      const pass = { query, key, value: key, outputGradient: filled([2, 2, 70, 9], 723) };
      const mask = filled([2, 70, 140], 724);
      return [wasm.alphaNormmax([1.5, 2]), wasm.budget([1, 2.5])].flatMap((normalizer) => {
        const options = {
          ...{ normalizer, mask, alibi: { slopes: [0.25, 0.5] } },
          causal: "lower-right",
        } as const;
        const { output } = attention.attend(query, key, key, options);
        const gradients = { mask: true, alibi: true };
        return [output, ...values(wasm.attendBackward(attention, pass, { ...options, gradients }))];
      });
    },
  ],
  [
    "a layer of monotonic alignments, and back",
    (attention, wasm) => {
      const projection = (dims: number[], seed: number) =>
        ({ weight: filled(dims, seed), order: "in,out" }) as const;
      using layer = new wasm.MonotonicAttention(attention, {
        ...{ query: projection([6, 9], 731), key: projection([5, 9], 732) },
        ...{ scoreWeight: filled([9], 733), scoreScale: 1.5, scoreOffset: -1 },
      });
      const inputs = { query: filled([2, 7, 6], 734), key: filled([2, 40, 5], 735) };
      const forward = layer.forward(inputs);
      const { energies, alignment, output } = forward;
      const pass = { ...inputs, energies, alignment, outputGradient: output };
      const { weights, ...rest } = wasm.monotonicLayerBackward(layer, pass);
      const { query, key, scoreWeight, scoreScale = 0, scoreOffset } = weights;
      const learnt = [query.weight, key.weight, scoreWeight];
      return [
        ...values(forward),
        ...values(rest),
        ...learnt,
        Float32Array.of(scoreScale, scoreOffset),
      ];
    },
  ],
  [
    "a location-sensitive layer, and back",
    (attention, wasm) => {
      const projection = (dims: number[], seed: number) =>
        ({ weight: filled(dims, seed), order: "in,out" }) as const;
      using layer = new wasm.LocationSensitiveAttention(attention, {
        ...{ query: projection([6, 9], 741), key: projection([5, 9], 742) },
        ...{ scoreWeight: filled([9], 743), scoreScale: 1.5, scoreBias: filled([9], 744).data },
        ...{ filters: filled([4, 2, 5], 745), locationWeight: filled([4, 9], 746) },
      });
      const key = filled([2, 40, 5], 747);
      const memory = layer.memory(key);
      const queries = [748, 749].map((seed) => filled([2, 6], seed));
      const first = layer.step(queries[0], memory);
      const second = layer.step(queries[1], memory, { state: first.state });
      const from = (step: number, outputGradient: Tensor) => ({
        ...{ query: queries[step], memory, outputGradient },
      });
      const last = wasm.locationLayerBackward(layer, from(1, second.output), {
        state: first.state,
      });
      const back = wasm.locationLayerBackward(layer, { ...from(0, first.output), after: last });
      const { queryGradient, memoryGradient, stateGradient, weights } = back;
      const ofMemory = wasm.locationMemoryBackward(layer, { key, memoryGradient });
      const { query, scoreScale = 0, ...vectors } = weights;
      return [
        ...[second.output, second.weights, last.queryGradient, queryGradient],
        ...[...values(stateGradient), query.weight, ...values(vectors)],
        ...[ofMemory.keyGradient, ofMemory.weights.key.weight, Float32Array.of(scoreScale)],
      ];
    },
  ],
  [
    "latents whose first numbers are values",
    (attention, wasm) => {
      const [query, latent] = [filled([2, 4, 5, 36], 711), filled([2, 1, 150, 36], 712)];
      const options = { valueSize: 32, causal: "lower-right", logSumExp: true } as const;
      return values(wasm.attendLatent(attention, query, latent, options));
    },
  ],
];
