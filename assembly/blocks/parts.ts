// How blocks' work is cut into items: by sizes alone, so that sums over items are the same for any number of
// threads.

/** Elements of an item: a fraction of a millisecond. */
export const ITEM_ELEMENTS: i32 = 1 << 14;

/** Rows of an item. */
// @ts-ignore: decorator
@inline
export function itemRows(columns: i32): i32 {
  return max(ITEM_ELEMENTS / max(columns, 1), 1);
}

/** Parts of at most `size` that make up `whole`. */
// @ts-ignore: decorator
@inline
export function partsOf(whole: i32, size: i32): i32 {
  return <i32>((<u32>whole + <u32>size - 1) / <u32>size);
}
