// The peers, by name, and the table.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import Table from "cli-table3";

export const PEERS = [
  "lexrank",
  "node-summarizer, frequency",
  "node-summarizer, rank",
  "ts-textrank",
  "text-summarization",
  "sum",
] as const;

/** Those that draw lots: another summary each time. */
export const DRAWING: ReadonlySet<string> = new Set(["node-summarizer, rank"]);

export interface Text {
  readonly title: string;
  readonly text: string;
  readonly sentences: number;
}

export interface Summaries {
  readonly summaries: readonly string[];
  readonly milliseconds: number;
}

export class Peers {
  readonly #worker = new Worker(new URL("worker.mjs", import.meta.url));

  async summarise(name: (typeof PEERS)[number], texts: readonly Text[]): Promise<Summaries> {
    this.#worker.postMessage({ name, texts });
    const [answer] = await once(this.#worker, "message");
    return answer;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

export function tableOf(head: string[], rows: readonly string[][]): string {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  return table.toString();
}
