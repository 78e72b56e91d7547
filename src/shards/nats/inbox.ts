// Where answers go: under the prefix that the connection was made with, which alone its user may read.

import { createInbox, type NatsConnection } from "@nats-io/nats-core";

export function inboxOf(connection: NatsConnection): string {
  // Its type does not say so.
  const { options } = connection as { readonly options?: { readonly inboxPrefix?: string } };
  return createInbox(options?.inboxPrefix);
}
