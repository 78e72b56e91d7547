// Where answers go: one subscription for all that a caller asks, under the prefix that its connection was made
// with, which alone its user may read. A query costs the server no subscription of its own.

import { createInbox, type Msg, type NatsConnection } from "@nats-io/nats-core";

type Take = (error: Error | null, message: Msg) => void;

class Inbox {
  readonly #address: string;
  readonly #open = new Map<string, Take>();
  #made = 0;

  constructor(connection: NatsConnection) {
    // Its type does not say so.
    const { options } = connection as { readonly options?: { readonly inboxPrefix?: string } };
    this.#address = createInbox(options?.inboxPrefix);
    connection.subscribe(`${this.#address}.*`, {
      callback: (error, message) => {
        if (error) for (const take of [...this.#open.values()]) take(error, message);
        // What comes for one that is closed is late, and of no use.
        else this.#open.get(message.subject)?.(null, message);
      },
    });
  }

  /** An address, and what ends it. */
  open(take: Take): { readonly address: string; close(): void } {
    const address = `${this.#address}.${this.#made++}`;
    this.#open.set(address, take);
    return { address, close: () => void this.#open.delete(address) };
  }
}

const inboxes = new WeakMap<NatsConnection, Inbox>();

/** That of a connection, made when it is first asked for. */
export function inboxOf(connection: NatsConnection): Inbox {
  const inbox = inboxes.get(connection) ?? new Inbox(connection);
  inboxes.set(connection, inbox);
  return inbox;
}
