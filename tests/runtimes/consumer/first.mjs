// Prints the milliseconds from before the import to a first result.

const start = performance.now();
const { createAttention, tensor } = await import("wasm-attention");
const attention = await createAttention();
const x = tensor(new Float32Array(128), [1, 1, 8, 16]);
attention.attend(x, x, x);
console.log(performance.now() - start);
