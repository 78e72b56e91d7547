// From before import to the first output, in a process of its own.
const start = performance.now();
const { createAttention, tensor } = await import("wasm-attention");
const attention = await createAttention();
const x = tensor(new Float32Array(1024).fill(0.5), [1, 8, 16, 8]);
attention.attend(x, x, x);
console.log(performance.now() - start);
