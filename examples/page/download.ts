// A file that a page's worker needs, or an error that says in words why it did not come.

import { unreached } from "./work";

/** `arrived` is told the bytes of each part. */
export async function download(
  file: string,
  arrived = (_bytes: number) => {},
): Promise<Uint8Array> {
  const response = await fetch(file).catch(() => undefined);
  if (response && !response.ok)
    throw new Error(`${file} did not come: the server answers ${response.status}.`);
  if (!response?.body) throw new Error(unreached(file));
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        arrived(chunk.length);
        controller.enqueue(chunk);
      },
    }),
  );
  try {
    return new Uint8Array(await new Response(counted).arrayBuffer());
  } catch {
    throw new Error(`Only a part of ${file} came: the connection broke.`);
  }
}
