// A sequence, to a caller: it is appended to, and attended to wherever its spans are.

import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { ArgumentError, type Attention, type Tensor } from "wasm-attention";
import { attendSharded, type ShardedOptions, type ShardedResult } from "wasm-attention/shards";
import type { Asker } from "./ask";
import { cut, encode, newId } from "./codec";
import { NotStoredError, SequenceChangedError } from "./errors";
import type { Looker, Seen } from "./look";
import { readTensor, said } from "./options";
import { checkName, type Deployment, SPAN } from "./plan";
import { mostOf } from "./send";
import type { Entry } from "./worker";

interface Parts {
  readonly connection: NatsConnection;
  readonly attention: Attention;
  readonly client: JetStreamClient;
  readonly deployment: Deployment;
  readonly looker: Looker;
  readonly asker: Asker;
}

/** Most bytes of one append: workers put it together before they take it in. */
const MOST_APPENDED = 2 ** 30;

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

  async #look(): Promise<Seen> {
    const seen = await this.#parts.looker.look(this.name);
    this.#last = seen.last;
    this.#length = seen.length;
    this.#epoch = seen.epoch;
    return seen;
  }

  /**
   * Adds tokens to the end: key [1, Hkv, n, D] and value [1, Hkv, n, Dv]. Once it resolves they are in the
   * log; all of them or, where it rejects with NotStoredError or SequenceChangedError, none.
   */
  async append(key: Tensor, value: Tensor): Promise<void> {
    const { keyValueHeads, headSize, valueSize } = this.#parts.deployment;
    const given = [readTensor("append", "key", key), readTensor("append", "value", value)] as const;
    const count = given[0].dims[2] ?? -1;
    for (const [index, size] of [headSize, valueSize].entries()) {
      const { dims } = given[index] as Tensor;
      const want = [1, keyValueHeads, count, size];
      if (dims.length === 4 && want.every((n, axis) => dims[axis] === n)) continue;
      const expected = `[1, ${keyValueHeads}, n, ${size}], as many as of keys`;
      const argument = index ? "value.dims" : "key.dims";
      throw new ArgumentError("append", argument, expected, `[${dims.join(", ")}]`);
    }
    const most = Math.floor(MOST_APPENDED / (4 * keyValueHeads * (headSize + valueSize)));
    if (count > most) {
      const expected = `at most ${most} tokens at once, ${MOST_APPENDED} bytes`;
      throw new ArgumentError("append", "key.dims", expected, `${count}`);
    }
    const copies = given.map(({ data }) => data.slice());
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
        throw new ArgumentError("truncate", "length", expected, said(length));
      }
      const id = newId();
      await this.#publish(id, { op: "truncate", base: this.#length, length, epoch: id });
    });
  }

  /**
   * Begins another sequence with the tokens of this; workers share their pages.
   *
   * @throws ArgumentError for a name that is taken; SequenceChangedError where somebody else has truncated or
   * released this one; all by rejecting.
   */
  async fork(name: string): Promise<ShardedSequence> {
    const fork = new ShardedSequence(this.#parts, checkName("fork", "name", name));
    await this.#change(async () => {
      const { last, epoch } = await fork.#look();
      if (last && epoch) {
        throw new ArgumentError("fork", "name", "a name of no sequence", said(name));
      }
      const id = newId();
      const entry = {
        ...({ op: "fork", base: 0, length: this.#length, epoch: id } as const),
        ...{ source: this.name, sourceEpoch: this.#epoch, sourceLast: this.#last },
      };
      await fork.#publish(id, entry);
      const gone = await this.#parts.looker.isVoid({ ...entry, id, part: 0, of: 1 }, fork.#last);
      if (!gone) return;
      await this.#look();
      throw this.#changed();
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
   * @throws As `attendSharded`; `cause` of a ShardError is a SequenceChangedError where somebody else has
   * truncated the sequence since it was looked at.
   */
  async attend(query: Tensor, options: ShardedOptions = {}): Promise<ShardedResult> {
    const { attention, deployment, asker } = this.#parts;
    const { keyValueHeads, headSize, valueSize } = deployment;
    const length = this.#length;
    const read = readOnce(options);
    const call = asker.call({
      sequence: this.name,
      epoch: this.#epoch,
      at: this.#last,
      mixed: read?.allowMixed === true,
    });
    const spans = Math.max(1, Math.ceil(length / SPAN));
    const shards = Array.from({ length: spans }, (_, span) => {
      const keys = Math.min(SPAN, length - span * SPAN);
      return {
        // Of a batch of one.
        ...{ keys: [keys], keyValueHeads, headSize, valueSize },
        attend: call.span(span, keys),
      };
    });
    return attendSharded(attention, query, shards, read);
  }

  /** One change after the other. */
  #change(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => undefined);
    return done;
  }

  #changed(cause?: unknown): SequenceChangedError {
    const message = `${this.name} was changed by another, and has ${this.#length} tokens`;
    return new SequenceChangedError(message, { cause });
  }

  async #publish(
    id: string,
    entry: Omit<Entry, "id" | "part" | "of">,
    arrays: readonly Float32Array[] = [],
  ): Promise<void> {
    const { connection, client, looker } = this.#parts;
    const parts = cut(encode({}, arrays), mostOf(connection) - 4096, id);
    let sent = 0;
    try {
      for (const data of parts) {
        const about = headers();
        about.set("Shards", JSON.stringify({ ...entry, id, part: sent++, of: parts.length }));
        const stored = await client.publish(looker.subject(this.name), data, {
          headers: about,
          // A part that is sent again is stored once, and only after the one before it.
          msgID: `${id}.${sent - 1}`,
          expect: { lastSubjectSequence: this.#last },
          retries: 3,
        });
        this.#last = stored.seq;
      }
    } catch (error) {
      const seen = await this.#look().catch(() => undefined);
      // Stored, but for its acknowledgement.
      if (seen?.entry?.id === id && seen.entry.part + 1 === seen.entry.of) return;
      const changed = error instanceof JetStreamApiError && error.code === WRONG_LAST;
      if (changed) throw this.#changed(error);
      // Without its last part there is nothing.
      const known = seen !== undefined || sent < parts.length;
      const what = known
        ? "nothing was stored"
        : "nobody says whether it was stored, refresh() does";
      const why = error instanceof Error ? error.message : String(error);
      throw new NotStoredError(`${this.name}: ${what}: ${why}`, { cause: error, known });
    }
    this.#length = entry.length;
    this.#epoch = entry.epoch;
  }
}

/** Options as they are now, whatever they are: attendSharded checks them. */
function readOnce(options: ShardedOptions): ShardedOptions {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return options;
  const read: Record<string, unknown> = {};
  for (const name in options) read[name] = options[name as keyof ShardedOptions];
  return read;
}
