// A worker process: follows the log, and answers for its spans.

import { jetstreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { ArgumentError, type Attention } from "wasm-attention";
import { LAYOUT } from "../../../build/layout";
import { Assembler, encode, type Message, type Numbers } from "./codec";
import { Follower } from "./log";
import { checkCount, checkFunctions, LONGEST, readOptions } from "./options";
import { checkName, type Deployment, namesOf, openDeployment } from "./plan";
import { answer, checkConnection, mostOf } from "./send";
import { type SnapshotStore, Snapshots } from "./snapshots";
import { attendSpans } from "./spans";
import { Store } from "./worker";

/** Options of `serveShards`. */
export interface ServeOptions {
  /** Of the deployment, made by `createShards`. */
  readonly name: string;
  /** Which of its workers this is, from 0. */
  readonly worker: number;
  /** Most bytes of one query; 64 MiB by default. */
  readonly maximumQuery?: number | undefined;
  /** Where it puts what it holds from time to time; without, a worker that starts reads the whole log. */
  readonly snapshots?: SnapshotStore | undefined;
  /** So many bytes of the log after each other snapshot; 256 MiB by default. */
  readonly snapshotBytes?: number | undefined;
}

const OPTIONS = { name: 1, worker: 1, maximumQuery: 1, snapshots: 1, snapshotBytes: 1 } as const;

/** What a worker says of itself. */
export interface WorkerFigures {
  readonly worker: number;
  /** Its build and how it rounds. */
  readonly build: string;
  /** Spans of all sequences that it has. */
  readonly spans: number;
  /** Of their pages. */
  readonly bytes: number;
  /** Where in the log it is. */
  readonly applied: number;
  /** Where in the log it began, after a snapshot. */
  readonly began: number;
}

/** A worker that serves. */
export interface ShardWorker {
  figures(): WorkerFigures;
  /** Stops answering; the connection stays the caller's. */
  close(): Promise<void>;
}

/** Of what bits follow from: the layout of frames, and whether multiply-adds round once. */
export function buildOf(attention: Attention, { numbers }: Deployment): string {
  const fused = numbers === "float32" && attention.fused;
  return `${LAYOUT}${fused ? "-fused" : ""}`;
}

/** Queries that wait; those after them are told that it is busy. */
const MOST_WAITING = 256;

/**
 * Holds a worker's spans of a deployment and answers for them. It replays the log first, while it answers
 * for what it has already; a worker with the number of another is its double, and harmless.
 *
 * @throws ArgumentError (rejects) for a number that the deployment does not have; what NATS throws.
 */
export async function serveShards(
  connection: NatsConnection,
  attention: Attention<"cache">,
  options: ServeOptions,
): Promise<ShardWorker> {
  const operation = "serveShards";
  checkConnection(operation, connection);
  const { snapshots: kept, ...given } = readOptions(operation, OPTIONS, options);
  const { worker, maximumQuery = 2 ** 26, snapshotBytes = 2 ** 28 } = given;
  const name = checkName(operation, "name", given.name);
  checkCount(operation, "maximumQuery", maximumQuery, 2 ** 30);
  checkCount(operation, "snapshotBytes", snapshotBytes, Number.MAX_SAFE_INTEGER);
  if (kept !== undefined)
    checkFunctions(operation, "snapshots", kept, ["getBlob", "putBlob", "delete", "list"]);
  if (!attention?.extensions?.cache) {
    const expected = "an engine with it: createAttention({ extensions: [cache] })";
    throw new ArgumentError(operation, "attention", expected, "one without");
  }
  const manager = await jetstreamManager(connection);
  const deployment = await openDeployment(operation, manager, name);
  checkCount(operation, "worker", worker, deployment.workers - 1, 0);
  const names = namesOf(name);
  const store = new Store(attention, deployment, worker);
  const build = buildOf(attention, deployment);
  const { created, state } = await manager.streams.info(names.stream);
  const snapshots =
    kept &&
    new Snapshots(store, kept, {
      prefix: `${name}/${worker}`,
      log: created,
      last: state.last_seq,
      every: snapshotBytes,
    });
  const began = (await snapshots?.restore()) ?? 0;
  const log = new Follower(connection, names.stream, (subject, entry, data, at) => {
    store.apply(subject.slice(names.log.length + 1), entry, data);
    snapshots?.applied(at, data.length);
  });
  await log.start(began, mostOf(connection));
  const figures = (): WorkerFigures => {
    let spans = 0;
    for (const held of store.sequences.values()) spans += held.spans.size;
    const { bytes } = store.cache.memory;
    return { worker, build, spans, bytes, applied: log.applied, began };
  };
  const parts = new Assembler({ messages: 64, bytes: maximumQuery });
  let waiting = 0;
  const answered = async (message: Message): Promise<[object, Numbers[]]> => {
    const { header } = message;
    if (header.build !== build && header.mixed !== true)
      return [{ refused: `build ${build}, asked for ${header.build}` }, []];
    if (waiting >= MOST_WAITING) return [{ refused: "busy" }, []];
    waiting++;
    const stop = new AbortController();
    let late: ReturnType<typeof setTimeout> | undefined;
    try {
      const wait = Math.min(Number(header.wait) || 0, LONGEST);
      late = setTimeout(() => stop.abort(new Error(`not done within ${wait} ms`)), wait);
      await log.reaches(Number(header.at), stop.signal);
      return await attendSpans(attention, store, message, stop.signal);
    } finally {
      clearTimeout(late);
      waiting--;
    }
  };
  const asked = connection.subscribe(names.ask(worker), {
    callback: (error, message) => {
      if (error) return;
      void reply(connection, message, async () => {
        const whole = parts.add(message.data);
        return whole && answered(whole);
      });
    },
  });
  const info = connection.subscribe(names.info, {
    callback: (error, message) => {
      if (!error) message.respond(JSON.stringify(figures()));
    },
  });
  return {
    figures,
    async close() {
      asked.unsubscribe();
      info.unsubscribe();
      log.close();
      await snapshots?.close();
      store.cache.dispose();
    },
  };
}

/** Answers in parts that the server takes. */
async function reply(
  connection: NatsConnection,
  { reply: to }: Msg,
  make: () => Promise<[object, Numbers[]] | undefined>,
): Promise<void> {
  let made: [object, Numbers[]] | undefined;
  try {
    made = await make();
  } catch (error) {
    made = [{ refused: error instanceof Error ? `${error.name}: ${error.message}` : "failed" }, []];
  }
  if (made && to) answer(connection, to, encode(...made));
}
