// A server of somebody else's, from the address it prints to its end.

import { spawn } from "node:child_process";
import { quiet } from "./quiet";

const START_MS = 60_000;

export interface Started {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a server until `look` has looked at it; what the server said goes with an error. */
export async function serving(
  command: string,
  args: readonly string[],
  { cwd, env }: Started,
  look: (address: string) => Promise<void>,
): Promise<void> {
  const all = { ...process.env, ...quiet, ...env };
  const server = spawn(command, args, { cwd, env: all, detached: true });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  let said = "";
  let timer: NodeJS.Timeout | undefined;
  try {
    const address = await new Promise<string>((resolve, reject) => {
      const hear = (text: Buffer) => {
        said += text;
        const [, found] = /(http:\/\/(?:127\.0\.0\.1|localhost):\d+)/.exec(said) ?? [];
        if (found) resolve(found);
      };
      server.stdout.on("data", hear);
      server.stderr.on("data", hear);
      server.once("error", reject);
      void ended.then(() => reject(new Error("it has ended")));
      timer = setTimeout(() => reject(new Error("it prints no address")), START_MS);
    });
    await look(address);
  } catch (error) {
    throw new Error(`${command}: ${error}\n${said}`, { cause: error });
  } finally {
    clearTimeout(timer);
    // With whatever it has started.
    if (server.pid && server.exitCode === null) process.kill(-server.pid);
    if (server.pid) await ended;
  }
}
