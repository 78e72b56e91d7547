// How headless Chromium is started; the driver is in the packages of those who need it.

import { execFileSync } from "node:child_process";

const unwanted = ["gpu", "quic", "background-networking", "component-update", "sync"];

export const headless = () => ({
  executablePath:
    process.env.CHROMIUM || execFileSync("which", ["chromium"], { encoding: "utf8" }).trim(),
  args: ["--no-sandbox", "--no-first-run", ...unwanted.map((name) => `--disable-${name}`)],
});
