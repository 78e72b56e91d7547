// Node, Deno, Bun: a file by its path, read by ranges.

import { ArgumentError } from "../errors";
import type { OpenFile } from "./no-files";

/** @throws ArgumentError (rejects) for one that cannot be opened. */
export async function openFile(operation: string, path: string | URL): Promise<OpenFile> {
  const { open } = await import("node:fs/promises");
  const where = typeof path === "string" && path.startsWith("file:") ? new URL(path) : path;
  try {
    const file = await open(where, "r");
    const found = await file.stat();
    if (found.isDirectory()) {
      await file.close();
      throw new Error("a folder");
    }
    const { size } = found;
    return {
      byteLength: size,
      async read(start, end) {
        const bytes = new Uint8Array(end - start);
        let at = 0;
        while (at < bytes.length) {
          const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
          if (!bytesRead) break;
          at += bytesRead;
        }
        return bytes.subarray(0, at);
      },
      close: () => file.close(),
    };
  } catch (error) {
    throw new ArgumentError(operation, "source", "a file that can be opened", `${error}`);
  }
}
