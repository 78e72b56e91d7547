// Embeddings as jobs: whichever process is free takes a few sentences, and gives a row for each.

import type { NatsConnection } from "@nats-io/transport-node";
import { type Tensor, tensor } from "wasm-attention";
import { type CallsClient, serveCalls } from "wasm-attention/shards/nats";
import { createEncoder } from "../semantic-search/embedder";
import { EMBEDDING_SIZE } from "../semantic-search/encoder";

export async function serveEmbeddings(connection: NatsConnection, name: string): Promise<void> {
  const encoder = await createEncoder();
  serveCalls(connection, {
    name,
    handlers: {
      embed({ values }) {
        const rows = encoder.encode(values as string[]);
        const data = new Float32Array(rows.length * EMBEDDING_SIZE);
        rows.forEach((row, at) => {
          data.set(row, at * EMBEDDING_SIZE);
        });
        return { tensors: { rows: tensor(data, [rows.length, EMBEDDING_SIZE]) } };
      },
    },
  });
}

async function embed(jobs: CallsClient, texts: readonly string[]): Promise<Tensor> {
  const { tensors } = await jobs.call("embed", { values: texts }, { timeout: 60_000 });
  return tensors?.rows as Tensor;
}

export interface EmbedOptions {
  /** Texts of a job. */
  readonly texts: number;
  /** Jobs that are under way at a time. */
  readonly jobs: number;
  /** Told how many are done. */
  readonly done?: (count: number) => void;
}

/** [texts, size], in the order of the texts whichever job ends first. */
export async function embedAll(
  jobs: CallsClient,
  texts: readonly string[],
  options: EmbedOptions,
): Promise<Float32Array> {
  const rows = new Float32Array(texts.length * EMBEDDING_SIZE);
  let [next, done] = [0, 0];
  const take = async () => {
    while (next < texts.length) {
      const from = next;
      next += options.texts;
      const some = texts.slice(from, from + options.texts);
      rows.set((await embed(jobs, some)).data, from * EMBEDDING_SIZE);
      done += some.length;
      options.done?.(done);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, take));
  return rows;
}
