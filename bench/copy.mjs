// Registers the loader of TypeScript in this thread, which Node 20 does not inherit.
import { register } from "tsx/esm/api";

register();
await import("./copy.ts");
