// wasm-attention/training: gradients.

export {
  type AttendGradients,
  type AttendPass,
  type AttendState,
  attendBackward,
  attendBackwardAsync,
  type BackwardOptions,
  type GradientOptions,
} from "./attend";
export { training } from "./extension";
export {
  type LinearBackwardOptions,
  type LinearGradients,
  linearBackward,
  linearBackwardAsync,
} from "./linear";
export {
  type LayerBackwardOptions,
  type LayerGradients,
  multiHeadBackward,
  multiHeadBackwardAsync,
  type ProjectionGradients,
} from "./multihead";
export {
  attendPackedBackward,
  attendPackedBackwardAsync,
  type PackedBackwardOptions,
} from "./packed";
