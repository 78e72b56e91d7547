// Browsers from Debian, started as programs that open one page. What a page has to say it posts to
// the test's server, so no driver is needed.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Browser {
  readonly name: string;
  readonly version: string;
  /** Opens a page in a new profile; `close` waits for the end of every process. */
  open(url: string): Promise<Opened>;
}

export interface Opened {
  /** What the browser wrote to its terminal. */
  log(): string;
  close(): Promise<void>;
}

export const chromiumFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Nothing listens there: whatever a browser would send outside goes nowhere. */
const nowhere = "127.0.0.1:9";

const webkitPackage = "libwebkit2gtk-4.1-0";
const text = { encoding: "utf8", stdio: "pipe" } as const;

const firefoxPreferences = {
  "app.normandy.enabled": false,
  "app.update.auto": false,
  "browser.aboutwelcome.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.proxy.type": 1,
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": 9,
  "network.proxy.ssl": "127.0.0.1",
  "network.proxy.ssl_port": 9,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

export function chromium(): Browser {
  const program = process.env.CHROMIUM || "chromium";
  return {
    name: "Chromium",
    version: versionIn(execFileSync(program, ["--version"], text)),
    open: async (url) => {
      const profile = newProfile();
      const own = [`--user-data-dir=${profile}`, `--proxy-server=${nowhere}`];
      return start(program, ["--headless", ...chromiumFlags, ...own, url], profile);
    },
  };
}

export function firefox(): Browser {
  const program = process.env.FIREFOX || "firefox-esr";
  return {
    name: "Firefox",
    version: versionIn(execFileSync(program, ["--version"], text)),
    open: async (url) => {
      const profile = newProfile();
      const lines = Object.entries(firefoxPreferences).map(
        ([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`,
      );
      writeFileSync(join(profile, "user.js"), lines.join(""));
      return start(program, ["--headless", "--no-remote", "--profile", profile, url], profile);
    },
  };
}

/** WebKitGTK's own small browser, on a display of its own. */
export function webkit(environment: Record<string, string> = {}): Browser {
  const program = process.env.MINIBROWSER || miniBrowser();
  return {
    name: "WebKitGTK",
    version: versionIn(execFileSync("dpkg", ["-s", webkitPackage], text).split("\nVersion: ")[1]),
    open: async (url) => {
      const profile = newProfile();
      const screen = await display();
      const opened = start(program, [url], profile, {
        ...environment,
        HOME: profile,
        XDG_CACHE_HOME: profile,
        XDG_CONFIG_HOME: profile,
        XDG_DATA_HOME: profile,
        XDG_RUNTIME_DIR: profile,
        DISPLAY: screen.name,
        GDK_BACKEND: "x11",
        LIBGL_ALWAYS_SOFTWARE: "1",
        NO_AT_BRIDGE: "1",
      });
      return {
        log: opened.log,
        async close() {
          await opened.close();
          // Not killed, it takes its socket with it.
          await end(screen.server, "SIGTERM");
        },
      };
    },
  };
}

function newProfile(): string {
  return mkdtempSync(join(tmpdir(), "wasm-attention-browser-"));
}

function versionIn(said: string): string {
  const version = /\d+(\.\d+)+/.exec(said)?.[0];
  if (!version) throw new Error(`no version in ${said}`);
  return version;
}

function miniBrowser(): string {
  const files = execFileSync("dpkg", ["-L", webkitPackage], text).split("\n");
  const found = files.find((file) => file.endsWith("/MiniBrowser"));
  if (!found) throw new Error(`no MiniBrowser in ${webkitPackage}`);
  return found;
}

function start(
  program: string,
  parameters: string[],
  profile: string,
  environment: Record<string, string> = {},
): Opened {
  // A group of its own, so that its helpers end with it.
  const child = spawn(program, parameters, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let said = "";
  child.on("error", (error) => {
    said += error;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (more: string) => {
      said = (said + more).slice(-4000);
    });
  }
  return {
    log: () => said,
    async close() {
      await end(child);
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

/** An X server that picks its own number. */
async function display(): Promise<{ name: string; server: ChildProcess }> {
  const server = spawn(
    "Xvfb",
    ["-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp"],
    {
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    },
  );
  const number = await new Promise<string>((resolve, reject) => {
    server.on("error", reject);
    server.on("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
    server.stdio[3]?.once("data", (bytes: Buffer) => resolve(String(bytes).trim()));
  });
  return { name: `:${number}`, server };
}

/** Ends a program and all it has started. */
async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.pid === undefined) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  const running = child.exitCode === null && child.signalCode === null;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // All of the group are gone already.
  }
  if (running) await closed;
}
