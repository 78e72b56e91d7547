// One call of linear, y [rows × columns] = x [rows × depth] · W + bias, or of what is done to a packed
// W. Fields as in attend/frame.ts.

@unmanaged
export class LinearFrame {
  /** Threads that the scratch has parts for. */
  threads: i32 = 0;
  rows: i32 = 0;
  depth: i32 = 0;
  columns: i32 = 0;
  /** Address of x. */
  input: usize = 0;
  /** 1: x is stored [depth × rows]. */
  inputTransposed: i32 = 0;
  /** W as packLinear leaves it. */
  packed: usize = 0;
  /** y */
  result: usize = 0;
  scratch: usize = 0;
  /** packLinear: W, its bias (0 for none), and 1 where it is stored [columns × depth]. */
  weight: usize = 0;
  bias: usize = 0;
  outputIsRow: i32 = 0;
}
