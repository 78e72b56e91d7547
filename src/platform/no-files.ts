// Where there are no paths: a Blob, an address or ranges are read everywhere.

import { ArgumentError } from "../errors";

/** An open file. */
export interface OpenFile {
  readonly byteLength: number;
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @throws ArgumentError (rejects). */
export async function openFile(operation: string, path: string | URL): Promise<OpenFile> {
  const expected = "a Blob, an address or { byteLength, read }, since there are no files here";
  throw new ArgumentError(operation, "source", expected, JSON.stringify(`${path}`));
}
