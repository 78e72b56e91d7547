import { createCache } from "wasm-attention/cache";
import { int8, int8Lowering, int16, precisionError } from "wasm-attention/integers";
import { sparsemax } from "wasm-attention/variants";
import { q, type Refusal } from "./refusal";

const expected = "a precision, such as `int16` of wasm-attention/integers";

export const integersRefused: Refusal[] = [
  [
    `attend: "precision" expected ${expected}, got "int16"`,
    (a) => a.attend(q, q, q, { precision: "int16" as never }),
  ],
  [
    `attend: "precision" expected ${expected}, got null`,
    (a) => a.attend(q, q, q, { precision: null as never }),
  ],
  [
    `attend: "precision" expected ${expected}, got an object with {name, option}`,
    (a) => a.attend(q, q, q, { precision: { ...int16 } }),
  ],
  [
    `attend: "precision" expected ${expected}, got an object with {name, option}`,
    (a) => a.attend(q, q, q, { precision: sparsemax as never }),
  ],
  [
    `attend: "precision" expected ${expected}, got an object with {name, option}`,
    (a) => a.attend(q, q, q, { precision: { ...int8 } }),
  ],
  [
    'int8Lowering: "attention" expected an engine, await createAttention(), as the first argument, got undefined',
    () => int8Lowering(undefined as never),
  ],
  [
    `precisionError: "precision" expected ${expected}, got undefined`,
    (a) => precisionError(a, q, q, q, {}),
  ],
  [
    'precisionError: "query" expected a tensor { data, dims }, got 3',
    (a) => precisionError(a, 3 as never, q, q, { precision: int16 }),
  ],
  [
    'attend: "precision" expected no value with a cache, which has numbers of its own, got an object with {name, option}',
    (a) => {
      using cache = createCache(a, { keyValueHeads: 2, headSize: 8 });
      cache.append(q, q);
      return cache.attend(q, { precision: int16 } as never);
    },
  ],
];
