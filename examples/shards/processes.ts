// A nats-server and workers on this machine, each a process, to be killed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";

const all: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), "wasm-attention-shards-"));

function start(command: string, words: readonly string[]): ChildProcess {
  const started = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"] });
  all.push(started);
  return started;
}

/** On a port that is free, its log in a folder that goes with the demo. */
export async function startServer(): Promise<{ port: number; connection: NatsConnection }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  const config = join(folder, "server.conf");
  writeFileSync(
    config,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/store" }\n`,
  );
  const server = start("nats-server", ["-l", join(folder, "server.log"), "-c", config]);
  for (;;) {
    try {
      return { port, connection: await connect({ port }) };
    } catch (error) {
      if (server.exitCode !== null) throw error;
      await setTimeout(50);
    }
  }
}

/** Once it is ready; without a number it does jobs alone. */
export async function startWorker(
  port: number,
  name: string,
  worker?: number,
): Promise<ChildProcess> {
  const file = new URL("worker.ts", import.meta.url).pathname;
  const words = ["--import", "tsx", file, JSON.stringify({ port, name, worker })];
  const started = start(process.execPath, words);
  const ended = once(started, "exit").then(() => {
    throw new Error(`a process of ${name} ended at its start`);
  });
  await Promise.race([once(started.stdout as NodeJS.ReadableStream, "data"), ended]);
  return started;
}

export async function kill(process: ChildProcess): Promise<void> {
  const exit = once(process, "exit");
  process.kill("SIGKILL");
  await exit;
}

export function endAll(): void {
  for (const process of all) process.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
