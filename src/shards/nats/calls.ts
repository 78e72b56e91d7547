// Whole jobs shared out: any number of processes answer to one name, and a caller sees one service.

import type { NatsConnection } from "@nats-io/nats-core";
import type { Tensor } from "wasm-attention";
import { Assembler, cut, encode, type Numbers, newId } from "./codec";
import { inboxOf } from "./inbox";
import { readOptions } from "./options";
import { checkName } from "./plan";

/** What a job is given and gives: plain values, and tensors of float32 by name. */
export interface CallData {
  /** What JSON can say. */
  readonly values?: unknown;
  /** Numbers with their dims. */
  readonly tensors?: Readonly<Record<string, Tensor>> | undefined;
}

/** Does a job; `signal` aborts at the caller's deadline. */
export type CallHandler = (data: CallData, signal: AbortSignal) => Promise<CallData> | CallData;

/** A job failed at whoever did it; `kind` is the name of the error there. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Most bytes of a job. */
const MOST = 2 ** 26;
const LONGEST = 600_000;

const subjectOf = (name: string) => `shards.${name}.calls`;

function pack(header: object, { values, tensors = {} }: CallData): Uint8Array {
  const arrays: Numbers[] = [];
  const named = Object.entries(tensors).map(([name, { data, dims }]) => {
    arrays.push(data);
    return [name, dims];
  });
  return encode({ ...header, values, named }, arrays);
}

function unpack(header: Record<string, unknown>, arrays: readonly Numbers[]): CallData {
  const named = (header.named ?? []) as [string, number[]][];
  const tensors = named.map(([name, dims], index) => [name, { data: arrays[index], dims }]);
  return { values: header.values, tensors: Object.fromEntries(tensors) };
}

/** Answers for jobs of a name; each job goes to one of all the processes that do. */
export function serveCalls(
  connection: NatsConnection,
  options: { readonly name: string; readonly handlers: Readonly<Record<string, CallHandler>> },
): { close(): void } {
  const operation = "serveCalls";
  const { handlers, ...given } = readOptions(operation, { name: 1, handlers: 1 }, options);
  const name = checkName(operation, "name", given.name);
  const run = async (data: Uint8Array): Promise<Uint8Array> => {
    try {
      // One message a job: the queue gives each to another process.
      const message = new Assembler({ messages: 1, bytes: MOST }).add(data);
      const { handler, wait } = message?.header ?? {};
      const called = String(handler);
      if (!message || !Object.hasOwn(handlers, called)) {
        return encode({ error: { kind: "TypeError", message: `no handler "${called}"` } });
      }
      const signal = AbortSignal.timeout(Math.min(Number(wait) || 0, LONGEST));
      const handle = handlers[called] as CallHandler;
      return pack({}, await handle(unpack(message.header, message.arrays), signal));
    } catch (error) {
      const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
      return encode({ error: { kind, message } });
    }
  };
  const subscription = connection.subscribe(subjectOf(name), {
    queue: "calls",
    callback: (error, message) => {
      if (error || !message.reply) return;
      void run(message.data).then((answer) => {
        if (connection.isClosed()) return;
        const most = (connection.info?.max_payload ?? 2 ** 20) - 1024;
        for (const part of cut(answer, most, newId()))
          connection.publish(message.reply as string, part);
      });
    },
  });
  return { close: () => subscription.unsubscribe() };
}

/** A caller of jobs. */
export interface CallsClient {
  /**
   * Has a job done by one of the processes, within `timeout` milliseconds (10 seconds by default).
   *
   * @throws CallError for what the handler threw; RangeError for a job that the server does not take.
   */
  call(
    handler: string,
    data: CallData,
    options?: { readonly timeout?: number; readonly signal?: AbortSignal },
  ): Promise<CallData>;
}

export function connectCalls(connection: NatsConnection, name: string): CallsClient {
  checkName("connectCalls", "name", name);
  return {
    async call(handler, data, options = {}) {
      const names = { timeout: 1, signal: 1 } as const;
      const { timeout = 10_000, signal } = readOptions("call", names, options);
      const most = (connection.info?.max_payload ?? 2 ** 20) - 1024;
      const parts = cut(pack({ handler, wait: timeout }, data), most, newId());
      if (parts.length > 1) {
        return Promise.reject(
          new RangeError(`a job of more than the ${most} bytes that the server takes`),
        );
      }
      const answer = new Assembler({ messages: 1, bytes: MOST });
      return new Promise((resolve, reject) => {
        const done = (end: () => void) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
          inbox.close();
          end();
        };
        const abort = () => done(() => reject(signal?.reason));
        const late = new CallError("TimeoutError", `no answer within ${timeout} ms`);
        const timer = setTimeout(() => done(() => reject(late)), timeout);
        const inbox = inboxOf(connection).open((error, message) => {
          if (error) return done(() => reject(error));
          if (message.headers?.code === 503) {
            const none = new CallError("Unavailable", `nobody answers for "${name}"`);
            return done(() => reject(none));
          }
          try {
            const whole = answer.add(message.data);
            if (!whole) return;
            const failed = whole.header.error as { kind: string; message: string } | undefined;
            if (failed) done(() => reject(new CallError(failed.kind, failed.message)));
            else done(() => resolve(unpack(whole.header, whole.arrays)));
          } catch (wrong) {
            done(() => reject(wrong));
          }
        });
        if (signal?.aborted) return abort();
        signal?.addEventListener("abort", abort, { once: true });
        connection.publish(subjectOf(name), parts[0] as Uint8Array, { reply: inbox.address });
      });
    },
  };
}
