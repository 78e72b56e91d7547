// The caller's side: sequences that are appended to, and attended to wherever their spans are.

import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { ArgumentError, type Attention, type Tensor } from "wasm-attention";
import { attendSharded, type ShardedOptions, type ShardedResult } from "wasm-attention/shards";
import { Asker } from "./ask";
import { cut, encode, newId } from "./codec";
import { readOptions } from "./options";
import { checkName, type Deployment, namesOf, openDeployment, SPAN } from "./plan";
import { buildOf, type WorkerFigures } from "./serve";
import { type Entry, entryOf } from "./worker";

/** Options of `connectShards`. */
export interface ConnectOptions {
  /** How long one worker is waited for before another is asked, in milliseconds; 2000 by default. */
  readonly patience?: number | undefined;
  /** How long the server is waited for to store a part, in milliseconds; 5000 by default. */
  readonly storing?: number | undefined;
}

/** A deployment, to a caller. */
export interface ShardsClient {
  /** As its stream says. */
  readonly deployment: Deployment;
  /** A sequence by its name, which begins with the first append. */
  sequence(name: string): Promise<ShardedSequence>;
  /** What each worker that answers says of itself. */
  workers(): Promise<WorkerFigures[]>;
}

/** Somebody else has changed the sequence since it was looked at; it has been looked at anew. */
export class SequenceChangedError extends Error {
  override readonly name = "SequenceChangedError";
}

/** The server did not store an append, and nothing of it is in the sequence; `cause` is what it said. */
export class NotStoredError extends Error {
  override readonly name = "NotStoredError";
}

/** @throws ArgumentError (rejects) for a deployment of another protocol; what NATS throws. */
export async function connectShards(
  connection: NatsConnection,
  attention: Attention,
  name: string,
  options: ConnectOptions = {},
): Promise<ShardsClient> {
  const operation = "connectShards";
  const names = { patience: 1, storing: 1 } as const;
  const { patience = 2000, storing = 5000 } = readOptions(operation, names, options);
  checkName(operation, "name", name);
  const manager = await jetstreamManager(connection);
  const deployment = await openDeployment(operation, manager, name);
  const client = jetstream(connection, { timeout: storing });
  const build = buildOf(attention, deployment);
  const asker = new Asker(connection, deployment, { build, patience });
  const parts = { connection, attention, manager, client, deployment, asker };
  return {
    deployment,
    async sequence(called) {
      const sequence = new ShardedSequence(parts, checkName("sequence", "name", called));
      await sequence.refresh();
      return sequence;
    },
    async workers() {
      const answers = await connection.requestMany(namesOf(name).info, "", {
        strategy: "stall",
        maxWait: 1000,
        stall: 200,
      } as never);
      const found: WorkerFigures[] = [];
      for await (const answer of answers) found.push(answer.json());
      return found.sort((a, b) => a.worker - b.worker);
    },
  };
}

interface Parts {
  readonly connection: NatsConnection;
  readonly attention: Attention;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly deployment: Deployment;
  readonly asker: Asker;
}

/** Of the server, where another has published in between. */
const WRONG_LAST = 10071;

/** Tokens that lie at the workers. Made by `sequence` of a client. */
export class ShardedSequence {
  readonly name: string;
  readonly #parts: Parts;
  #length = 0;
  #epoch = "";
  /** Of its last message in the log. */
  #last = 0;
  /** Settles once the change before has. */
  #changing: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(parts: Parts, name: string) {
    this.#parts = parts;
    this.name = name;
  }

  /** Tokens, as of the last change of this object's or the last `refresh`. */
  get length(): number {
    return this.#length;
  }

  /** Looks at the log: what others have done since is seen from here on. */
  async refresh(): Promise<void> {
    await this.#look();
  }

  /** Gives the log's last entry. */
  async #look(): Promise<Entry | undefined> {
    const { manager, deployment } = this.#parts;
    const { stream } = namesOf(deployment.name);
    const found = await manager.streams
      .getMessage(stream, { last_by_subj: this.#subject })
      .catch((error) => {
        if (error instanceof JetStreamApiError && error.code === 10037) return null;
        throw error;
      });
    const entry = found ? entryOf(found.header.get("Shards")) : undefined;
    const whole = entry && entry.part + 1 === entry.of;
    this.#last = found?.seq ?? 0;
    this.#length = (whole ? entry.length : entry?.base) ?? 0;
    this.#epoch = entry && (whole || entry.base) ? entry.epoch : "";
    return entry;
  }

  get #subject(): string {
    return `${namesOf(this.#parts.deployment.name).log}.${this.name}`;
  }

  /**
   * Adds tokens to the end: key [1, Hkv, n, D] and value [1, Hkv, n, Dv]. Once it resolves they are in the
   * log; all of them or, where it rejects with NotStoredError or SequenceChangedError, none.
   */
  append(key: Tensor, value: Tensor): Promise<void> {
    const { keyValueHeads, headSize, valueSize } = this.#parts.deployment;
    const count = key?.dims?.[2] ?? -1;
    for (const [name, tensor, size] of [
      ["key", key, headSize],
      ["value", value, valueSize],
    ] as const) {
      const want = [1, keyValueHeads, count, size];
      if (tensor?.dims?.length === 4 && want.every((n, axis) => tensor.dims[axis] === n)) continue;
      const expected = `[1, ${keyValueHeads}, n, ${size}], as many as of keys`;
      return Promise.reject(
        new ArgumentError("append", `${name}.dims`, expected, `[${tensor?.dims?.join(", ")}]`),
      );
    }
    const copies = [key, value].map(({ data }) => data.slice());
    return this.#change(async () => {
      const id = newId();
      const base = this.#length;
      const epoch = this.#epoch || id;
      await this.#publish(id, { op: "append", base, length: base + count, epoch }, copies);
    });
  }

  /** Drops the tokens from `length` on. */
  truncate(length: number): Promise<void> {
    return this.#change(async () => {
      if (!Number.isInteger(length) || length < 0 || length > this.#length) {
        const expected = `at most its ${this.#length} tokens`;
        throw new ArgumentError("truncate", "length", expected, `${length}`);
      }
      const id = newId();
      await this.#publish(id, { op: "truncate", base: this.#length, length, epoch: id });
    });
  }

  /** Begins another sequence with the tokens of this; workers share their pages. */
  async fork(name: string): Promise<ShardedSequence> {
    const fork = new ShardedSequence(this.#parts, checkName("fork", "name", name));
    await this.#change(async () => {
      await fork.#look();
      if (fork.#last && fork.#epoch) {
        throw new ArgumentError("fork", "name", "a name of no sequence", `"${name}"`);
      }
      const id = newId();
      const length = this.#length;
      const source = this.name;
      await fork.#publish(id, { op: "fork", base: 0, length, epoch: id, source });
    });
    return fork;
  }

  /** Ends it: its tokens are no longer held anywhere. Another of its name may begin. */
  release(): Promise<void> {
    return this.#change(async () => {
      const base = this.#length;
      await this.#publish(newId(), { op: "release", base, length: 0, epoch: "" });
    });
  }

  /**
   * `attend` over all tokens: query [1, H, L, D]. The bits are those of one call over them. Each span is
   * asked of one of its workers, and of the next one where that fails.
   *
   * @throws As `attendSharded`.
   */
  attend(query: Tensor, options: ShardedOptions = {}): Promise<ShardedResult> {
    const { attention, deployment, asker } = this.#parts;
    const { keyValueHeads, headSize, valueSize } = deployment;
    const length = this.#length;
    const call = asker.call({
      sequence: this.name,
      epoch: this.#epoch,
      at: this.#last,
      mixed: options.allowMixed === true,
    });
    const spans = Math.max(1, Math.ceil(length / SPAN));
    const shards = Array.from({ length: spans }, (_, span) => {
      const keys = Math.min(SPAN, length - span * SPAN);
      return {
        ...{ keys, keyValueHeads, headSize, valueSize },
        attend: call.span(span, keys),
      };
    });
    return attendSharded(attention, query, shards, options);
  }

  /** One change after the other. */
  #change(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => undefined);
    return done;
  }

  async #publish(
    id: string,
    entry: Omit<Entry, "id" | "part" | "of">,
    arrays: readonly Float32Array[] = [],
  ): Promise<void> {
    const { connection, client } = this.#parts;
    const most = (connection.info?.max_payload ?? 2 ** 20) - 4096;
    const parts = cut(encode({}, arrays), most, id);
    try {
      for (const [part, data] of parts.entries()) {
        const about = headers();
        about.set("Shards", JSON.stringify({ ...entry, id, part, of: parts.length }));
        const stored = await client.publish(this.#subject, data, {
          headers: about,
          // A part that is sent again is stored once, and only after the one before it.
          msgID: `${id}.${part}`,
          expect: { lastSubjectSequence: this.#last },
          retries: 3,
        });
        this.#last = stored.seq;
      }
    } catch (error) {
      const seen = await this.#look().catch(() => undefined);
      // Stored, but for its acknowledgement.
      if (seen?.id === id && seen.part + 1 === seen.of) return;
      const changed = error instanceof JetStreamApiError && error.code === WRONG_LAST;
      if (changed) {
        const message = `${this.name} was changed by another, and has ${this.#length} tokens`;
        throw new SequenceChangedError(message, { cause: error });
      }
      const why = error instanceof Error ? error.message : String(error);
      throw new NotStoredError(`${this.name}: nothing was stored: ${why}`, { cause: error });
    }
    this.#length = entry.length;
    this.#epoch = entry.epoch;
  }
}
