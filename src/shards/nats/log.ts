// The log of a deployment, as a worker reads it.

import { DeliverPolicy, type JsMsg, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { type Entry, entryOf } from "./worker";

/** Milliseconds after which more of the log is asked for anew. */
const PULL = 5000;
/** Milliseconds until it is tried to follow a server that is not ready anew. */
const AGAIN = 100;
/** Bytes of the log that are on their way at most. */
const MOST_PULLED = 2 ** 25;

type Apply = (subject: string, entry: Entry, data: Uint8Array, at: number) => void;

/** The log from some place on, and whoever waits for it to be read so far. */
export class Follower {
  /** Its last message that was read. */
  applied = 0;
  readonly #connection: NatsConnection;
  readonly #stream: string;
  readonly #apply: Apply;
  readonly #waiting = new Set<{ at: number; resolve: () => void }>();
  #largest = 1;
  #stop: (() => void) | undefined;
  #status: { stop?(): void } | undefined;
  #closed = false;

  constructor(connection: NatsConnection, stream: string, apply: Apply) {
    this.#connection = connection;
    this.#stream = stream;
    this.#apply = apply;
  }

  /** From after `applied` on; `largest` bytes are of one message. */
  async start(applied: number, largest: number): Promise<void> {
    this.applied = applied;
    this.#largest = largest;
    await this.#follow();
    void this.#watch();
  }

  async #follow(): Promise<void> {
    const consumer = await jetstream(this.#connection).consumers.get(this.#stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.applied + 1,
    });
    const messages = await consumer.consume({
      callback: (message) => this.#take(message),
      // Bounded, since a client for whom more than 64 MB wait is sent away as too slow. Not by bytes: the
      // server ends a request whose next message is larger than what is left of it, and a client that
      // counts otherwise waits until it expires.
      max_messages: Math.max(1, Math.floor(MOST_PULLED / this.#largest)),
      expires: PULL,
    });
    this.#stop = () => void messages.close().catch(() => undefined);
    if (this.#closed) this.#stop();
  }

  /**
   * A server that was started again does not know who followed, and a follower learns it from what does not
   * come, after up to ten seconds. So it follows anew whenever it is connected again.
   */
  async #watch(): Promise<void> {
    const status = this.#connection.status();
    this.#status = status as { stop?(): void };
    for await (const { type } of status) {
      for (let again = type === "reconnect"; again && !this.#closed; ) {
        this.#stop?.();
        this.#stop = undefined;
        again = await this.#follow().then(
          () => false,
          () => true,
        );
        if (again) await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  }

  #take(message: JsMsg): void {
    // An ordered consumer that is made anew may begin before where it was.
    if (message.seq <= this.applied) return;
    try {
      const entry = entryOf(message.headers?.get("Shards") ?? "");
      this.#apply(message.subject, entry, message.data, message.seq);
    } catch {
      // Not of this protocol: void for every worker alike.
    }
    this.applied = message.seq;
    for (const one of this.#waiting) if (one.at <= this.applied) one.resolve();
  }

  /** Once the log is read up to `at`. */
  reaches(at: number, signal: AbortSignal): Promise<void> {
    if (!(at > this.applied)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#waiting.delete(one);
        reject(new Error(`the log is read up to ${this.applied} of ${at}`));
      };
      const one = {
        at,
        resolve: () => {
          this.#waiting.delete(one);
          signal.removeEventListener("abort", late);
          resolve();
        },
      };
      this.#waiting.add(one);
      signal.addEventListener("abort", late, { once: true });
    });
  }

  close(): void {
    this.#closed = true;
    this.#status?.stop?.();
    this.#stop?.();
  }
}
