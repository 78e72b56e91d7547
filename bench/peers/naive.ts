// What anyone writes first: three loops and Math.exp.

import { keyValueHeadsOf, type Peer, queriesOf } from "./peer";

export const naive: Peer = {
  name: "naive TypeScript",
  async prepare(c, query, key, value) {
    const { heads, n, d, causal } = c;
    const rows = queriesOf(c);
    const group = heads / keyValueHeadsOf(c);
    const output = new Float32Array(query.length);
    const scores = new Float32Array(n);
    const scale = 1 / Math.sqrt(d);
    return {
      run() {
        for (let h = 0; h < heads; h++) {
          const first = Math.floor(h / group) * n;
          for (let i = 0; i < rows; i++) {
            const row = (h * rows + i) * d;
            const keys = causal ? i + 1 : n;
            let largest = -Infinity;
            for (let j = 0; j < keys; j++) {
              let dot = 0;
              for (let k = 0; k < d; k++) dot += query[row + k] * key[(first + j) * d + k];
              scores[j] = dot * scale;
              largest = Math.max(largest, scores[j]);
            }
            let sum = 0;
            for (let j = 0; j < keys; j++) {
              scores[j] = Math.exp(scores[j] - largest);
              sum += scores[j];
            }
            output.fill(0, row, row + d);
            for (let j = 0; j < keys; j++) {
              const weight = scores[j] / sum;
              for (let k = 0; k < d; k++) output[row + k] += weight * value[(first + j) * d + k];
            }
          }
        }
      },
      output: () => output,
      dispose() {},
    };
  },
};
