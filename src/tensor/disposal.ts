// `using` in engines that have it, and the same symbol in those that do not yet.

/** `Symbol.dispose`, or what TypeScript and the polyfills take for it. */
export const disposeSymbol: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
