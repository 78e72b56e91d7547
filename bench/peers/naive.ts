// What anyone writes first: three loops and Math.exp.

import type { Peer } from "./peer";

export const naive: Peer = {
  name: "naive TypeScript",
  async prepare({ heads, n, d, causal }, query, key, value) {
    const output = new Float32Array(query.length);
    const scores = new Float32Array(n);
    const scale = 1 / Math.sqrt(d);
    return {
      run() {
        for (let h = 0; h < heads; h++) {
          for (let i = 0; i < n; i++) {
            const row = (h * n + i) * d;
            const keys = causal ? i + 1 : n;
            let largest = -Infinity;
            for (let j = 0; j < keys; j++) {
              let dot = 0;
              for (let k = 0; k < d; k++) dot += query[row + k] * key[(h * n + j) * d + k];
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
              for (let k = 0; k < d; k++) output[row + k] += weight * value[(h * n + j) * d + k];
            }
          }
        }
      },
      output: () => output,
      dispose() {},
    };
  },
};
