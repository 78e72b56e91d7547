// One call of attendBackward: attend's, where the output and logSumExp are read, and the gradients.

import { AttendFrame } from "../attend/frame";


@unmanaged
export class BackwardFrame extends AttendFrame {
  /** As output. */
  outputGradient: usize = 0;
  /** Of returned weights, which are then in `weights`; 0 for none, like that below. */
  weightsGradient: usize = 0;
  /** As logSumExp. */
  logSumExpGradient: usize = 0;
  /** As query, and so on. */
  queryGradient: usize = 0;
  keyGradient: usize = 0;
  valueGradient: usize = 0;
  /** [batch, heads]; 0 for none, like that below. */
  slopesGradient: usize = 0;
  /** [batch, heads] */
  sinksGradient: usize = 0;
}
