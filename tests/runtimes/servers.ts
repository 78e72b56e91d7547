// workerd by itself and under wrangler: started on a free port of this machine, ended by a signal.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { installed, node } from "./engines";

export interface Server {
  /** The address of each socket by its name. */
  readonly addresses: Readonly<Record<string, string>>;
  end(): Promise<void>;
}

const START_MS = 60_000;

export function startWorkerd(folder: string): Promise<Server> {
  const command = installed("@cloudflare/workerd-linux-64/bin/workerd");
  const child = spawn(command, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  return listening(child, child.stdio[3] as Readable, 2, (line) => {
    const { event, socket, port } = JSON.parse(line);
    return event === "listen" ? [socket, `http://127.0.0.1:${port}`] : undefined;
  });
}

export function startWrangler(folder: string): Promise<Server> {
  const args = [installed("wrangler/bin/wrangler.js"), "dev", "--ip", "127.0.0.1", "--port", "0"];
  const child = spawn(node(24), args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      CI: "1",
      NO_COLOR: "1",
      // Nothing leaves this machine.
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      XDG_CONFIG_HOME: join(folder, ".config"),
    },
  });
  return listening(child, child.stdout as Readable, 1, (line) => {
    const ready = line.match(/Ready on (http:\S+)/);
    return ready ? ["battery", ready[1]] : undefined;
  });
}

/** Waits until `count` sockets are listening, by what `from` says line by line. */
async function listening(
  child: ChildProcess,
  from: Readable,
  count: number,
  socketOf: (line: string) => [name: string, address: string] | undefined,
): Promise<Server> {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (said += text));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const end = () => {
    child.kill("SIGTERM");
    return ended;
  };
  const addresses: Record<string, string> = {};
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it does not start: ${said}`)), START_MS);
      void ended.then(() => reject(new Error(`it has ended: ${said}`)));
      let rest = "";
      from.on("data", (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() as string;
        for (const line of lines) {
          const socket = socketOf(line);
          if (socket) addresses[socket[0]] = socket[1];
        }
        if (Object.keys(addresses).length === count) resolve();
      });
    });
    return { addresses, end };
  } catch (error) {
    await end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

export async function post(address: string, body: object) {
  const response = await fetch(address, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text);
}
