// A tile of scores: rows [row, row + rows) of head h in batch b by keys [column, column + columns), stored
// as [rows][KEYS].

@unmanaged
export class Tile {
  b: i32 = 0;
  h: i32 = 0;
  row: i32 = 0;
  rows: i32 = 0;
  column: i32 = 0;
  columns: i32 = 0;
  /** Position of the first row among the keys. */
  position: i32 = 0;
  /** Where the first row stands in the tensors. */
  first: i32 = 0;
}
