// Jest before it read `exports` (27), and the one that most have.

import { testJest } from "../jest";

for (const major of [27, 29]) testJest(major);
