// Moonshine's tokens: those of Llama, and 768 more that English does not need.

import llama from "llama-tokenizer-js";

/** The text of a token, "▁" where a word begins. */
export const pieceOf = (id: number): string => llama.vocabById[id] ?? "";

export const textOf = (ids: readonly number[]): string =>
  llama.decode([...ids], false, false).trim();
