// Tokens into pages that the caller keeps, each to its slot: page · pageSize + row.

import type { Layout } from "../attend/options";
import { reader } from "../check/names";
import { checkLayout, type View, viewOf } from "../check/shapes";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { checkPages, type PageLayout } from "./paged";

/** Options of `appendPaged`. */
export interface SlotOptions {
  /** The slot of each token, [B, L]: page · pageSize + row; −1 for one that is not written. */
  readonly slotMapping: ArrayLike<number>;
  /** Of key and value: `"BHLD"` by default; tokens end to end [T, Hkv, D] are `"BLHD"` without B. */
  readonly layout?: Layout | undefined;
  /** `"NHD"` by default. */
  readonly pageLayout?: PageLayout | undefined;
}

const NAME = "appendPaged";
const read = reader<SlotOptions>({ slotMapping: 1, layout: 1, pageLayout: 1 });

/**
 * Writes tokens into pages of the caller's, for `attendPaged`: key [B, Hkv, L, D] and value [B, Hkv, L, Dv],
 * or as `layout` says. Of two tokens for one slot the later one stays. Without valuePages, as for latent
 * caches, without value too.
 *
 * @throws ArgumentError, DisposedError; nothing is written then.
 */
export function appendPaged(
  key: Tensor,
  value: Tensor | undefined,
  keyPages: Tensor,
  valuePages: Tensor | undefined,
  options: SlotOptions,
): void {
  const { slotMapping, layout: given, pageLayout } = read(NAME, options);
  const layout = checkLayout(NAME, given);
  const latent = valuePages === undefined ? 1 : undefined;
  const pages = checkPages(NAME, { keyPages, valuePages }, pageLayout, latent);
  if ((value === undefined) !== (valuePages === undefined)) {
    const expected = valuePages ? "a tensor, for valuePages" : "no value without valuePages";
    throw new ArgumentError(NAME, "value", expected, describe(value));
  }
  const { pageSize, keyValueHeads, headSize, valueSize, byHead } = pages;
  const split = layout === "BLE" ? keyValueHeads : 1;
  const check = (argument: string, from: Tensor | undefined, size: number, like?: View) => {
    const x = checkTensor(NAME, argument, from);
    const view = viewOf(NAME, argument, layout, x.dims, split);
    const { batch, rows } = like ?? view;
    const fits = view.batch === batch && view.rows === rows;
    if (fits && view.heads === keyValueHeads && view.size === size) return { x, view };
    const expected = `Hkv = ${keyValueHeads}, ${argument === "key" ? "D" : "Dv"} = ${size} of the pages`;
    const tokens = like ? `, B = ${batch}, L = ${rows} of the key` : "";
    throw new ArgumentError(NAME, `${argument}.dims`, expected + tokens, describe(x.dims));
  };
  const keys = check("key", key, headSize);
  const values = value && check("value", value, valueSize, keys.view);
  const { batch, rows } = keys.view;
  const slots = checkSlots(slotMapping, batch * rows, pages.pages * pageSize);
  const copy = ({ x, view }: ReturnType<typeof check>, into: Tensor, size: number) => {
    const [from, to] = [x.data, into.data];
    for (const [token, slot] of slots.entries()) {
      if (slot < 0) continue;
      const [b, row] = [Math.floor(token / rows), token % rows];
      const [page, at] = [Math.floor(slot / pageSize), slot % pageSize];
      for (let h = 0; h < keyValueHeads; h++) {
        const { batch, head, row: step } = view.strides;
        const start = b * batch + h * head + row * step;
        const inPage = byHead ? h * pageSize + at : at * keyValueHeads + h;
        const target = (page * pageSize * keyValueHeads + inPage) * size;
        to.set(from.subarray(start, start + size), target);
      }
    }
  };
  copy(keys, pages.key, headSize);
  if (values) copy(values, pages.value, valueSize);
}

function checkSlots(given: ArrayLike<number>, tokens: number, slots: number): readonly number[] {
  const numbers = numbersOf(given, [tokens]);
  if (!numbers) {
    const expected = `one slot for each of ${tokens} tokens`;
    throw new ArgumentError(NAME, "slotMapping", expected, describe(given));
  }
  for (const [token, slot] of numbers.entries()) {
    if (Number.isInteger(slot) && slot >= -1 && slot < slots) continue;
    const expected = `−1, or a slot from 0 to ${slots - 1}`;
    throw new ArgumentError(NAME, `slotMapping[${token}]`, expected, describe(slot));
  }
  return numbers;
}
