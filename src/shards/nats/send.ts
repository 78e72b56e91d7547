// Messages on their way out.

import type { NatsConnection } from "@nats-io/nats-core";
import { cut, newId } from "./codec";
import { checkFunctions } from "./options";

/** @throws ArgumentError for what is no connection. */
export function checkConnection(operation: string, connection: unknown): void {
  checkFunctions(operation, "connection", connection, ["publish", "subscribe"]);
}

/** Most bytes of a message that the server takes. */
export function mostOf({ info }: NatsConnection): number {
  return info?.max_payload ?? 2 ** 20;
}

/** In parts, beside which there is room for what the server adds. */
export function partsOf(connection: NatsConnection, message: Uint8Array): Uint8Array[] {
  return cut(message, mostOf(connection) - 1024, newId());
}

/** An answer; where the connection was closed meanwhile, there is nobody to answer. */
export function answer(connection: NatsConnection, to: string, message: Uint8Array): void {
  try {
    for (const part of partsOf(connection, message)) connection.publish(to, part);
  } catch (error) {
    if (!connection.isClosed() && !connection.isDraining()) throw error;
  }
}
