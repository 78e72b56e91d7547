// The entry `wasm-attention/view`: an element that shows attention weights.

export { defineAttentionView } from "./define";
export type {
  AttentionChoice,
  AttentionLook,
  AttentionMaps,
  AttentionPicture,
  AttentionSelection,
  AttentionView,
  AttentionWindow,
  PatchImage,
  PictureSource,
} from "./types";
