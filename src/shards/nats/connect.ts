// The caller's side: sequences that are appended to, and attended to wherever their spans are.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { errors, type NatsConnection } from "@nats-io/nats-core";
import type { Attention } from "wasm-attention";
import { Asker } from "./ask";
import { Looker } from "./look";
import { checkMilliseconds, readOptions } from "./options";
import { checkName, type Deployment, namesOf, openDeployment } from "./plan";
import { checkConnection } from "./send";
import { ShardedSequence } from "./sequence";
import { buildOf, type WorkerFigures } from "./serve";

/** Options of `connectShards`. */
export interface ConnectOptions {
  /** How long one worker is waited for before another is asked, in milliseconds; 2000 by default, at most 600,000. */
  readonly patience?: number | undefined;
  /** How long the server is waited for to store a part, in milliseconds; 5000 by default, at most 600,000. */
  readonly storing?: number | undefined;
}

/** A deployment, to a caller. */
export interface ShardsClient {
  /** As its stream says. */
  readonly deployment: Deployment;
  /** A sequence by its name, which begins with the first append. */
  sequence(name: string): Promise<ShardedSequence>;
  /** What each worker that answers says of itself; none where none is there. */
  workers(): Promise<WorkerFigures[]>;
}

/**
 * A deployment, to a caller.
 *
 * @throws ArgumentError (rejects) for a deployment that is not there or of another protocol; what NATS
 * throws.
 */
export async function connectShards(
  connection: NatsConnection,
  attention: Attention,
  name: string,
  options: ConnectOptions = {},
): Promise<ShardsClient> {
  const operation = "connectShards";
  const names = { patience: 1, storing: 1 } as const;
  const { patience = 2000, storing = 5000 } = readOptions(operation, names, options);
  checkMilliseconds(operation, "patience", patience);
  checkMilliseconds(operation, "storing", storing);
  checkConnection(operation, connection);
  checkName(operation, "name", name);
  const manager = await jetstreamManager(connection);
  const deployment = await openDeployment(operation, manager, name);
  const client = jetstream(connection, { timeout: storing });
  const build = buildOf(attention, deployment);
  const asker = new Asker(connection, deployment, { build, patience });
  const looker = new Looker(manager, deployment);
  const parts = { connection, attention, client, deployment, looker, asker };
  return {
    deployment,
    async sequence(called) {
      const sequence = new ShardedSequence(parts, checkName("sequence", "name", called));
      await sequence.refresh();
      return sequence;
    },
    async workers() {
      const found: WorkerFigures[] = [];
      try {
        const answers = await connection.requestMany(namesOf(name).info, "", {
          strategy: "stall",
          maxWait: 1000,
          stall: 200,
        } as never);
        for await (const answer of answers) found.push(answer.json());
      } catch (error) {
        if (!(error instanceof errors.NoRespondersError)) throw error;
      }
      return found.sort((a, b) => a.worker - b.worker);
    },
  };
}
