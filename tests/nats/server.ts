// A nats-server of one's own, and processes that serve: real ones, to be killed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Server {
  readonly port: number;
  readonly folder = mkdtempSync(join(tmpdir(), "nats-"));
  readonly #config: (port: number, folder: string) => string;
  #process: ChildProcess | undefined;
  readonly #workers: Worker[] = [];
  readonly #connections: NatsConnection[] = [];

  private constructor(port: number, config: (port: number, folder: string) => string) {
    this.port = port;
    this.#config = config;
  }

  /** `more` lines of its configuration. */
  static start(more = ""): Promise<Server> {
    return Server.with(
      (port, folder) =>
        `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/store" }\n${more}\n`,
    );
  }

  static async with(config: (port: number, folder: string) => string): Promise<Server> {
    const server = new Server(await freePort(), config);
    await server.run();
    return server;
  }

  async run(): Promise<void> {
    const config = join(this.folder, "server.conf");
    writeFileSync(config, this.#config(this.port, this.folder));
    this.#process = spawn("nats-server", ["-c", config], { stdio: "ignore" });
    for (let tries = 0; tries < 100; tries++) {
      const socket = createConnection(this.port, "127.0.0.1");
      try {
        // It says who it is to whoever connects.
        await once(socket, "data");
        return;
      } catch {
        await later(50);
      } finally {
        socket.destroy();
      }
    }
    throw new Error("nats-server does not listen");
  }

  /** Of the server's process. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async kill(): Promise<void> {
    const server = this.#process as ChildProcess;
    server.kill("SIGKILL");
    await once(server, "exit");
  }

  async connect(more: object = {}): Promise<NatsConnection> {
    const connection = await connect({
      ...more,
      port: this.port,
      reconnectTimeWait: 50,
      maxReconnectAttempts: -1,
    });
    this.#connections.push(connection);
    return connection;
  }

  async worker(options: object, program?: string): Promise<Worker> {
    const worker = new Worker(this.port, options);
    this.#workers.push(worker);
    await worker.start(program);
    return worker;
  }

  async end(): Promise<void> {
    for (const worker of this.#workers) await worker.kill();
    for (const connection of this.#connections) await connection.close();
    if (this.#process?.exitCode === null && !this.#process.killed) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Worker {
  readonly #given: string;
  #process: ChildProcess | undefined;

  constructor(port: number, options: object) {
    this.#given = JSON.stringify({ port, ...options });
  }

  /** Of the process, or 0. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** `program` beside this file. */
  async start(program = "worker.mjs"): Promise<void> {
    const file = new URL(program, import.meta.url).pathname;
    const started = spawn(process.execPath, [file, this.#given], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = started;
    await Promise.race([
      once(started.stdout, "data"),
      once(started, "exit").then(() => Promise.reject(new Error("a worker ended at its start"))),
    ]);
  }

  get running(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(name);
  }

  async kill(): Promise<void> {
    if (!this.running) return;
    const exit = once(this.#process as ChildProcess, "exit");
    this.#process?.kill("SIGKILL");
    await exit;
  }
}
