// Shards asked all at once, and what they answer checked: what they are and where they lie is not known.

import { SPAN_KEYS } from "../../assembly/kinds";
import { AttentionError, describe } from "../errors";
import { throwIfAborted } from "../run/steps";
import { type Place, spansOf } from "./place";
import { optionsFor, type Plan } from "./plan";
import type { ShardOptions } from "./shard";

/** A shard failed or gave something that is no answer; `cause` is what it threw. */
export class ShardError extends AttentionError {}
Object.defineProperty(ShardError, "name", { value: "ShardError" });
Object.defineProperty(ShardError.prototype, "name", {
  value: "ShardError",
  configurable: true,
  writable: true,
});

/** What is sent, and how its answer is told from anything else. */
export interface Question<Answer> {
  /** For messages: "the states". */
  readonly what: string;
  send(place: Place, options: ShardOptions, signal: AbortSignal): unknown;
  /** @throws WrongAnswer */
  check(answer: unknown, spans: number, place: Place): Answer;
}

/** A part of an answer that is none. */
export class WrongAnswer {
  readonly received: unknown;
  constructor(received: unknown) {
    this.received = received;
  }
}

/** @throws ShardError */
export async function askShard<Answer>(
  plan: Plan,
  place: Place,
  { what, send, check }: Question<Answer>,
  signal: AbortSignal,
): Promise<Answer> {
  const { index, first, keys } = place;
  const spans = spansOf(plan, place);
  const start = spans.from * SPAN_KEYS;
  const end = Math.min(spans.to * SPAN_KEYS, first + keys);
  const own = { from: (start - first) / SPAN_KEYS, to: Math.ceil((end - first) / SPAN_KEYS) };
  const failed = (received: string) => {
    const expected = `${what} of keys ${start} to ${end}`;
    return new ShardError(plan.operation, `shards[${index}]`, expected, received);
  };
  let answer: unknown;
  try {
    answer = await send(place, optionsFor(plan, start, end - start, own), signal);
  } catch (error) {
    throwIfAborted(signal);
    const said = error instanceof Error ? `${error.name}: ${error.message}` : describe(error);
    throw Object.assign(failed(said), { cause: error });
  }
  try {
    return check(answer, own.to - own.from, place);
  } catch (error) {
    if (error instanceof WrongAnswer) throw failed(describe(error.received));
    throw error;
  }
}

/** The reason that shards see once their answers are no longer waited for. */
const ENDED = "the call has ended";

/** All answers, or the first error. Whoever is asked is told of an end, and need not listen to it. */
export async function together<Answer>(
  signal: AbortSignal | undefined,
  ask: (signal: AbortSignal) => Promise<Answer>[],
): Promise<Answer[]> {
  const stop = new AbortController();
  const forward = () => stop.abort(signal?.reason);
  signal?.addEventListener("abort", forward, { once: true });
  const aborted = new Promise<never>((_, reject) => {
    stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  try {
    const answers = await Promise.race([Promise.all(ask(stop.signal)), aborted]);
    throwIfAborted(signal);
    return answers;
  } finally {
    signal?.removeEventListener("abort", forward);
    // Of its own the signal would make an error and its stack for every call.
    stop.abort(ENDED);
  }
}
