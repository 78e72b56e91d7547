// Seeded numbers, so that a run can be had again.

export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** An integer from 0 to below `count`. */
  below(count: number): number;
}

export function seeded(seed: number): Random {
  let state = seed >>> 0 || 1;
  const uniform = () => {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
  return { uniform, below: (count) => Math.floor(uniform() * count) };
}

/** In place (Fisher and Yates). */
export function shuffle<T>(items: T[], { below }: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}
