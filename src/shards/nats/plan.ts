// What a deployment is, as its stream says: sizes, how many workers there are, and which has which spans.

import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { ArgumentError } from "wasm-attention";
import type { CacheNumbers } from "wasm-attention/cache";
import type { Names } from "../../check/names";
import { PROTOCOL } from "./codec";
import { checkCount, readOptions, said } from "./options";
import { checkConnection } from "./send";

/** Keys of a span. */
export const SPAN = 4096;

/** Options of `createShards`. */
export interface ShardsOptions {
  /** Of the deployment: letters, digits, "-" and "_". */
  readonly name: string;
  /** Key and value heads Hkv. */
  readonly keyValueHeads: number;
  /** Numbers of a key, D. */
  readonly headSize: number;
  /** Numbers of a value, Dv; D by default. */
  readonly valueSize?: number | undefined;
  /** How workers store them; `"float32"` by default. */
  readonly numbers?: CacheNumbers | undefined;
  /** How many workers there are, by number from 0. */
  readonly workers: number;
  /** How many of them have each span; 2 by default, or 1 where there is but one worker. */
  readonly replicas?: number | undefined;
  /** Most bytes of the log on the server's disk; no limit by default. */
  readonly maximumBytes?: number | undefined;
}

const OPTIONS: Names<ShardsOptions> = {
  ...{ name: 1, keyValueHeads: 1, headSize: 1, valueSize: 1, numbers: 1 },
  ...{ workers: 1, replicas: 1, maximumBytes: 1 },
};

/** Of a deployment, as its stream says. */
export interface Deployment extends Omit<ShardsOptions, "maximumBytes"> {
  /** Of messages and of the log. */
  readonly protocol: number;
  /** Numbers of a value, Dv. */
  readonly valueSize: number;
  /** How workers store keys and values. */
  readonly numbers: CacheNumbers;
  /** How many workers have each span. */
  readonly replicas: number;
}

/** Subjects and names of a deployment. */
export const namesOf = (name: string) => ({
  stream: `SHARDS_${name}`,
  log: `shards.${name}.log`,
  ask: (worker: number) => `shards.${name}.ask.${worker}`,
  info: `shards.${name}.info`,
});

export function checkName(operation: string, argument: string, name: unknown): string {
  if (typeof name === "string" && /^[\w-]{1,64}$/.test(name)) return name;
  const expected = 'up to 64 letters, digits, "-" and "_"';
  throw new ArgumentError(operation, argument, expected, said(name));
}

const NUMBERS: readonly CacheNumbers[] = ["float32", "int16", "int8", "int4"];

function checkNumbers(operation: string, numbers: CacheNumbers = "float32"): CacheNumbers {
  if (NUMBERS.includes(numbers)) return numbers;
  const expected = NUMBERS.map(said).join(", ");
  throw new ArgumentError(operation, "numbers", expected, said(numbers));
}

/** Most numbers of a token: a page of a worker's cache has at most 2^30 bytes. */
const MOST_NUMBERS = 2 ** 20;

/**
 * Makes the stream of a deployment, or finds it made with the same options.
 *
 * @throws ArgumentError (rejects) for options that do not fit together or are not those of the deployment
 * that is there; what NATS throws.
 */
export async function createShards(
  connection: NatsConnection,
  given: ShardsOptions,
): Promise<Deployment> {
  const operation = "createShards";
  checkConnection(operation, connection);
  const options = readOptions(operation, OPTIONS, given);
  const name = checkName(operation, "name", options.name);
  const workers = checkCount(operation, "workers", options.workers, 4096);
  const headSize = checkCount(operation, "headSize", options.headSize, 2 ** 16);
  const { replicas = Math.min(2, workers), maximumBytes } = options;
  if (maximumBytes !== undefined)
    checkCount(operation, "maximumBytes", maximumBytes, Number.MAX_SAFE_INTEGER);
  const deployment: Deployment = {
    protocol: PROTOCOL,
    name,
    keyValueHeads: checkCount(operation, "keyValueHeads", options.keyValueHeads, 2 ** 16),
    headSize,
    valueSize: checkCount(operation, "valueSize", options.valueSize ?? headSize, 2 ** 16),
    numbers: checkNumbers(operation, options.numbers),
    workers,
    replicas: checkCount(operation, "replicas", replicas, workers),
  };
  const { keyValueHeads, valueSize } = deployment;
  const each = keyValueHeads * (headSize + valueSize);
  if (each > MOST_NUMBERS) {
    const expected = `one with which a token has at most ${MOST_NUMBERS} numbers`;
    throw new ArgumentError(operation, "keyValueHeads", expected, `${keyValueHeads}, with ${each}`);
  }
  const manager = await jetstreamManager(connection);
  const { stream, log } = namesOf(name);
  const made = await foundDeployment(operation, manager, name);
  if (!made) {
    await manager.streams.add({
      name: stream,
      subjects: [`${log}.*`],
      storage: StorageType.File,
      // Full is an error of the one who appends: nothing that was acknowledged goes.
      discard: DiscardPolicy.New,
      max_bytes: maximumBytes ?? -1,
      description: JSON.stringify(deployment),
    });
    return deployment;
  }
  if (JSON.stringify(made) === JSON.stringify(deployment)) return made;
  const expected = `those of the deployment that is there, ${JSON.stringify(made)}`;
  throw new ArgumentError(operation, "options", expected, JSON.stringify(deployment));
}

/** @throws ArgumentError for one that is not there, or of another protocol. */
export async function openDeployment(
  operation: string,
  manager: JetStreamManager,
  name: string,
): Promise<Deployment> {
  const made = await foundDeployment(operation, manager, name);
  if (made) return made;
  throw new ArgumentError(operation, "name", "a deployment that createShards made", said(name));
}

async function foundDeployment(
  operation: string,
  manager: JetStreamManager,
  name: string,
): Promise<Deployment | undefined> {
  const found = await manager.streams.info(namesOf(name).stream).catch((error) => {
    if (!(error instanceof JetStreamApiError && error.code === NO_STREAM)) throw error;
  });
  if (!found) return undefined;
  const made = described(found.config.description);
  if (made.protocol === PROTOCOL) return made;
  const expected = `a deployment of protocol ${PROTOCOL}`;
  throw new ArgumentError(operation, "name", expected, `one of protocol ${made.protocol}`);
}

/** Of the server, where there is no such stream. */
const NO_STREAM = 10059;

/** What a stream says of itself; anybody may have made it. */
function described(text = ""): Deployment {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {} as Deployment;
  }
}

/** The workers that have a span, the one to be asked first before the others. */
export function workersOf({ workers, replicas }: Deployment, span: number): number[] {
  return Array.from({ length: replicas }, (_, i) => (span + i) % workers);
}
