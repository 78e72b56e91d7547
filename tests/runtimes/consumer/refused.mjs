// Prints what createAttention says of the options given.

import { createAttention } from "wasm-attention";

const made = await createAttention(JSON.parse(process.argv[2])).catch((error) => error);
console.log(`${made.name}: ${made.message}`);
