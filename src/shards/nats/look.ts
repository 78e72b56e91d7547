// What the log says of a sequence, to a caller: its last message, and what follows from it.

import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import { type Deployment, namesOf } from "./plan";
import { type Entry, entryOf } from "./worker";

/** A sequence as the log has it. */
export interface Seen {
  /** Where in the log its last message is; 0 where there is none. */
  readonly last: number;
  readonly length: number;
  /** Empty where there is no such sequence. */
  readonly epoch: string;
  /** The last one. */
  readonly entry: Entry | undefined;
}

/** Of the server, where there is no such message. */
const NO_MESSAGE = 10037;

export class Looker {
  readonly #manager: JetStreamManager;
  readonly #name: string;

  constructor(manager: JetStreamManager, { name }: Deployment) {
    this.#manager = manager;
    this.#name = name;
  }

  async look(sequence: string): Promise<Seen> {
    const found = await this.#message({ last_by_subj: this.subject(sequence) });
    const [last, entry] = found ?? [0, undefined];
    if (!entry || (await this.isVoid(entry, last))) return { last, length: 0, epoch: "", entry };
    if (entry.part + 1 === entry.of)
      return { last, length: entry.length, epoch: entry.epoch, entry };
    // An append that is not whole has changed nothing, nor begun a sequence.
    const epoch = entry.epoch === entry.id ? "" : entry.epoch;
    return { last, length: entry.base, epoch, entry };
  }

  /**
   * A fork at `at` in the log is void, for workers and for callers, where its source is another one than
   * whoever forked had looked at: it was truncated or released before.
   */
  async isVoid({ op, source = "", sourceEpoch, sourceLast = 0 }: Entry, at: number) {
    if (op !== "fork") return false;
    for (let seq = sourceLast + 1; ; ) {
      const found = await this.#message({ seq, next_by_subj: this.subject(source) });
      if (!found || found[0] > at) return false;
      if (found[1].epoch !== sourceEpoch) return true;
      seq = found[0] + 1;
    }
  }

  subject(sequence: string): string {
    return `${namesOf(this.#name).log}.${sequence}`;
  }

  async #message(
    query: { last_by_subj: string } | { seq: number; next_by_subj: string },
  ): Promise<readonly [number, Entry] | undefined> {
    const { stream } = namesOf(this.#name);
    const found = await this.#manager.streams.getMessage(stream, query).catch((error) => {
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE) return null;
      throw error;
    });
    return found ? [found.seq, entryOf(found.header.get("Shards"))] : undefined;
  }
}
