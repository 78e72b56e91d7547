// Queries on their way: the spans of one call that go to the same worker go in one message; a worker that
// fails or is slow is passed over for a while.

import type { Msg, NatsConnection } from "@nats-io/nats-core";
import type { Tensor } from "wasm-attention";
import type { Shard, ShardOptions } from "wasm-attention/shards";
import { Assembler, encode, type Message, type Numbers } from "./codec";
import { SequenceChangedError } from "./errors";
import { inboxOf } from "./inbox";
import { type Deployment, namesOf, workersOf } from "./plan";
import { partsOf } from "./send";
import { type Item, packOptions, stateNumbers } from "./spans";

/** How long a worker that did not answer in time is asked last, in milliseconds. */
const PASSED_OVER = 5000;
/** Most bytes of an answer. */
const MOST_ANSWER = 2 ** 30;
/** Of a message with more than one span its answer has about so many bytes at most. */
const ANSWER = 2 ** 26;

interface About {
  readonly sequence: string;
  readonly epoch: string;
  readonly at: number;
  readonly mixed: boolean;
}

/** A query, and what ends its requests. */
interface Call extends About {
  readonly signal: AbortSignal | undefined;
  readonly cancel: Set<() => void>;
}

interface Wanted {
  readonly span: number;
  readonly keys: number;
  readonly query: Tensor;
  readonly options: ShardOptions;
  readonly signal: AbortSignal | undefined;
  readonly failures: string[];
  resolve(states: readonly Float32Array[]): void;
  reject(error: Error): void;
}

export class Asker {
  readonly #connection: NatsConnection;
  readonly #deployment: Deployment;
  readonly #how: { readonly build: string; readonly patience: number };
  readonly #slow = new Map<number, number>();

  constructor(
    connection: NatsConnection,
    deployment: Deployment,
    how: { readonly build: string; readonly patience: number },
  ) {
    this.#connection = connection;
    this.#deployment = deployment;
    this.#how = how;
  }

  /** The spans of one call, which attendSharded asks all at once. */
  call(about: About): { span(span: number, keys: number): Shard["attend"] } {
    let wanted: Wanted[] = [];
    let copy: Tensor | undefined;
    const flush = () => {
      const all = wanted;
      wanted = [];
      const { signal } = all[0] as Wanted;
      // One listener, however many spans and workers there are.
      const call = { ...about, signal, cancel: new Set<() => void>() };
      signal?.addEventListener("abort", () => call.cancel.forEach((end) => void end()), {
        once: true,
      });
      this.#send(call, all, new Map());
    };
    return {
      span: (span, keys) => (query, options, signal) =>
        new Promise((resolve, reject) => {
          if (!wanted.length) queueMicrotask(flush);
          // As it is now: it may be asked of the next worker long after.
          copy ??= { data: query.data.slice(), dims: query.dims };
          wanted.push({
            ...{ span, keys, options, signal, resolve, reject },
            query: copy,
            failures: [],
          });
        }),
    };
  }

  /** Asks for each span the first of its workers that was not asked yet. */
  #send(call: Call, all: readonly Wanted[], asked: ReadonlyMap<number, ReadonlySet<number>>): void {
    const groups = new Map<number, Wanted[]>();
    const tried = new Map<number, Set<number>>();
    for (const one of all) {
      const before = asked.get(one.span) ?? new Set<number>();
      const worker = this.#order(one.span).find((number) => !before.has(number));
      if (worker === undefined) {
        one.reject(new Error(`span ${one.span}: ${one.failures.join("; ")}`));
        continue;
      }
      tried.set(one.span, new Set([...before, worker]));
      groups.set(worker, [...(groups.get(worker) ?? []), one]);
    }
    for (const [worker, group] of groups) {
      const count = this.#atOnce(group);
      for (let at = 0; at < group.length; at += count) {
        void this.#ask(call, worker, group.slice(at, at + count)).then((rest) => {
          if (rest.length) this.#send(call, rest, tried);
        });
      }
    }
  }

  /** Spans of one message. */
  #atOnce(group: readonly Wanted[]): number {
    const [{ query }] = group as [Wanted];
    const [, heads = 0, queries = 0] = query.dims;
    const bytes = 4 * stateNumbers(heads * queries, this.#deployment.valueSize);
    return Math.max(1, Math.floor(ANSWER / bytes));
  }

  /** Those that were slow come last. */
  #order(span: number): number[] {
    const now = performance.now();
    const slow = (worker: number) => ((this.#slow.get(worker) ?? 0) > now ? 1 : 0);
    return workersOf(this.#deployment, span).sort((a, b) => slow(a) - slow(b));
  }

  /** One message to a worker; gives the spans that it did not answer for. */
  async #ask(call: Call, worker: number, group: readonly Wanted[]): Promise<Wanted[]> {
    const failed = (why: string) => {
      for (const one of group) one.failures.push(`worker ${worker}: ${why}`);
      return [...group];
    };
    let message: Message;
    try {
      message = await this.#request(call, worker, group);
      this.#slow.delete(worker);
    } catch (error) {
      if (call.signal?.aborted) {
        for (const one of group) one.reject(call.signal.reason);
        return [];
      }
      this.#slow.set(worker, performance.now() + PASSED_OVER);
      return failed((error as Error).message);
    }
    const { refused, stale, items } = message.header;
    if (stale !== undefined) {
      const why = `${call.sequence} was changed by another: refresh it`;
      for (const one of group) one.reject(new SequenceChangedError(why));
      return [];
    }
    if (refused !== undefined || !Array.isArray(items)) return failed(String(refused));
    const rest: Wanted[] = [];
    let state = 0;
    for (const [index, one] of group.entries()) {
      const { span, error } = (items[index] ?? {}) as { span?: unknown; error?: unknown };
      if (span === one.span && error === undefined) {
        // attendSharded looks at what it is.
        one.resolve([message.arrays[state++] as Float32Array]);
        continue;
      }
      one.failures.push(`worker ${worker}: ${error ?? "no answer for it"}`);
      rest.push(one);
    }
    return rest;
  }

  #request(call: Call, worker: number, group: readonly Wanted[]): Promise<Message> {
    const [{ query }] = group as [Wanted];
    const { signal, cancel, ...about } = call;
    const { build, patience } = this.#how;
    const arrays: Numbers[] = [query.data];
    const items: Item[] = group.map(({ span, keys, options }) => ({
      span,
      keys,
      options: packOptions(options, arrays),
    }));
    // A worker gives up before it is given up, so that its reason arrives.
    const header = { ...about, build, wait: 0.9 * patience, dims: query.dims, items };
    const connection = this.#connection;
    const sent = partsOf(connection, encode(header, arrays));
    const parts = new Assembler({ messages: 4, bytes: MOST_ANSWER });
    return new Promise((resolve, reject) => {
      const done = (end: () => void) => {
        clearTimeout(timer);
        cancel.delete(abort);
        inbox.close();
        end();
      };
      const abort = () => done(() => reject(new Error("aborted")));
      const timer = setTimeout(
        () => done(() => reject(new Error(`no answer within ${patience} ms`))),
        patience,
      );
      const take = (error: Error | null, message: Msg) => {
        if (error) return done(() => reject(error));
        if (message.headers?.code === 503) return done(() => reject(new Error("it is not there")));
        try {
          const whole = parts.add(message.data);
          if (whole) done(() => resolve(whole));
        } catch (wrong) {
          done(() => reject(wrong));
        }
      };
      const inbox = inboxOf(connection).open(take);
      cancel.add(abort);
      if (signal?.aborted) return abort();
      try {
        const subject = namesOf(this.#deployment.name).ask(worker);
        for (const part of sent) connection.publish(subject, part, { reply: inbox.address });
      } catch (error) {
        done(() => reject(error));
      }
    });
  }
}
