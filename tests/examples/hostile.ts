// What a public server is sent: bodies that are none, or too large, or of another kind. Each is
// answered by a status and a word, at once, and the next request finds the server as it was.

import assert from "node:assert/strict";

/** Of any server here for a refusal, the machine being busy. */
const AT_ONCE_MS = 5000;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export type Send = (body: string | ReadableStream, method?: string) => Promise<Answer>;

/** A body of `bytes` that does not say how long it is. */
export function endless(bytes: number): ReadableStream {
  const chunk = new TextEncoder().encode("[".repeat(1 << 16));
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent >= bytes) return controller.close();
      controller.enqueue(chunk);
      sent += chunk.length;
    },
  });
}

export async function refuses(
  send: Send,
  body: unknown,
  status: number,
  said: RegExp = /./,
): Promise<void> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const begin = performance.now();
  const answer = await send(text);
  const sent = text.slice(0, 80);
  assert.equal(answer.status, status, `${sent}: ${answer.text}`);
  assert.match(answer.text, said, sent);
  assert.ok(answer.text.length < 1000, `${sent}: a word, not ${answer.text.length} letters`);
  const took = performance.now() - begin;
  assert.ok(took < AT_ONCE_MS, `${sent}: ${took} ms`);
}

/** Bodies that are wrong for every server of JSON. */
export const never: readonly unknown[] = [
  "",
  "{",
  "null",
  '"text"',
  "5",
  "true",
  "[]",
  "{}",
  "[".repeat(10_000),
  '{"__proto__": {"query": "a"}}',
  { length: 2e8 },
];
