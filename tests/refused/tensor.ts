import { tensor } from "wasm-attention";
import { q, type Refusal } from "./refusal";

export const tensorRefused: Refusal[] = [
  ['tensor: "dims" expected an array of sizes, got 3', () => tensor(q.data, 3 as never)],
  [
    'tensor: "dims" expected integers from 0 to 2³¹ − 1, got [-1, 2]',
    () => tensor(q.data, [-1, 2]),
  ],
  ['tensor: "dims" expected integers from 0 to 2³¹ − 1, got [1.5]', () => tensor(q.data, [1.5])],
  [
    'tensor: "dims" expected fewer than 2³¹ elements, got [65536, 65536]',
    () => tensor(q.data, [65536, 65536]),
  ],
  ['tensor: "data" expected a Float32Array, got [1]', () => tensor([1] as never, [1])],
  ['tensor: "data" expected 3·5 = 15 elements, got 64', () => tensor(q.data, [3, 5])],
];
