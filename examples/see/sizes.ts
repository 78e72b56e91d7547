// The model's sizes, the same for every task.

export const SIZES = {
  size: 64,
  heads: 4,
  hidden: 128,
  convolutions: [12, 24],
  encoder: 1,
  decoder: 2,
  reach: 2,
} as const;

/** Of the scenes. */
export const COURSE = { steps: 4000, batch: 8, rate: 2.5e-3 } as const;

/** Of easy-VQA. */
export const EASY_VQA = { steps: 2000, batch: 8, rate: 1.5e-3 } as const;
