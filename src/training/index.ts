// wasm-attention/training: gradients.

export type { AttendState } from "../attend/options";
export { attendBackward, attendBackwardAsync } from "./attend";
export { training } from "./extension";
export type {
  LayerBackwardOptions,
  LayerGradients,
  ProjectionGradients,
} from "./layer-options";
export {
  type LinearBackwardOptions,
  type LinearGradients,
  linearBackward,
  linearBackwardAsync,
} from "./linear";
export type { ScoreGradientTile } from "./modified";
export { multiHeadBackward, multiHeadBackwardAsync } from "./multihead";
export type {
  AttendGradients,
  AttendPass,
  BackwardOptions,
  GradientOptions,
  Normalized,
  NormalizedPass,
  ResultGradients,
} from "./options";
export {
  attendPackedBackward,
  attendPackedBackwardAsync,
  type PackedBackwardOptions,
} from "./packed";
export {
  attendQkvBackward,
  attendQkvBackwardAsync,
  type NormalizedQkvPass,
  type QkvBackwardOptions,
  type QkvGradients,
  type QkvPass,
} from "./qkv";
