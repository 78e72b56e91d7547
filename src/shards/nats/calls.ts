// Whole jobs shared out: any number of processes answer to one name, and a caller sees one service.

import type { NatsConnection } from "@nats-io/nats-core";
import { ArgumentError, type Tensor } from "wasm-attention";
import { Assembler, encode, type Numbers } from "./codec";
import { inboxOf } from "./inbox";
import {
  checkFunctions,
  checkMilliseconds,
  LONGEST,
  readOptions,
  readTensor,
  said,
} from "./options";
import { checkName } from "./plan";
import { answer, checkConnection, mostOf, partsOf } from "./send";

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

const subjectOf = (name: string) => `shards.${name}.calls`;

/** What is given or answered, checked; `argument` says which. */
function pack(operation: string, argument: string, header: object, given: CallData): Uint8Array {
  const data = readOptions<CallData>(operation, { values: 1, tensors: 1 }, given, argument);
  const arrays: Numbers[] = [];
  const named = Object.entries(data.tensors ?? {}).map(([name, value]) => {
    const { data: numbers, dims } = readTensor(operation, `${argument}.tensors.${name}`, value);
    arrays.push(numbers);
    return [name, dims];
  });
  return encode({ ...header, values: data.values, named }, arrays);
}

/** @throws for tensors that are none: it may have come from anywhere. */
function unpack(header: Record<string, unknown>, arrays: readonly Numbers[]): CallData {
  const named = (header.named ?? []) as [string, number[]][];
  const tensors = named.map(([name, dims], index) => [
    name,
    readTensor("call", `tensors.${name}`, { data: arrays[index], dims }),
  ]);
  return { values: header.values, tensors: Object.fromEntries(tensors) };
}

/**
 * Answers for jobs of a name; each job goes to one of all the processes that do. `close` takes no more of them,
 * and resolves once those that are under way are answered.
 *
 * @throws ArgumentError for handlers that are no functions.
 */
export function serveCalls(
  connection: NatsConnection,
  options: { readonly name: string; readonly handlers: Readonly<Record<string, CallHandler>> },
): { close(): Promise<void> } {
  const operation = "serveCalls";
  checkConnection(operation, connection);
  const given = readOptions(operation, { name: 1, handlers: 1 }, options);
  const name = checkName(operation, "name", given.name);
  const names = Object.keys(given.handlers ?? {});
  checkFunctions(operation, "handlers", given.handlers, names, "an object of functions");
  const handlers = { ...given.handlers };
  const running = new Set<Promise<void>>();
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
      const done = await handle(unpack(message.header, message.arrays), signal);
      return pack(called, "answer", {}, done);
    } catch (error) {
      const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
      return encode({ error: { kind, message } });
    }
  };
  const subscription = connection.subscribe(subjectOf(name), {
    queue: "calls",
    callback: (error, message) => {
      if (error || !message.reply) return;
      const job = run(message.data).then((made) => {
        running.delete(job);
        answer(connection, message.reply as string, made);
      });
      running.add(job);
    },
  });
  return {
    async close() {
      subscription.unsubscribe();
      await Promise.all(running);
    },
  };
}

/** A caller of jobs. */
export interface CallsClient {
  /**
   * Has a job done by one of the processes, within `timeout` milliseconds: 10,000 by default, at most
   * 600,000.
   *
   * @throws All by rejecting: CallError for what the handler threw, for a deadline that has passed and where
   * nobody answers; RangeError for a job that the server does not take; ArgumentError; `signal.reason`.
   */
  call(
    handler: string,
    data?: CallData,
    options?: { readonly timeout?: number; readonly signal?: AbortSignal },
  ): Promise<CallData>;
}

/** A caller of the jobs of a name. @throws ArgumentError. */
export function connectCalls(connection: NatsConnection, name: string): CallsClient {
  checkConnection("connectCalls", connection);
  checkName("connectCalls", "name", name);
  return {
    async call(handler, data = {}, options = {}) {
      const operation = "call";
      if (typeof handler !== "string")
        throw new ArgumentError(operation, "handler", "the name of one", said(handler));
      const names = { timeout: 1, signal: 1 } as const;
      const { timeout = 10_000, signal } = readOptions(operation, names, options);
      checkMilliseconds(operation, "timeout", timeout);
      if (signal !== undefined)
        checkFunctions(operation, "signal", signal, ["addEventListener", "removeEventListener"]);
      const parts = partsOf(connection, pack(operation, "data", { handler, wait: timeout }, data));
      if (parts.length > 1) {
        const most = mostOf(connection);
        throw new RangeError(`a job of more than the ${most} bytes that the server takes`);
      }
      const assembler = new Assembler({ messages: 1, bytes: MOST });
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
            const whole = assembler.add(message.data);
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
