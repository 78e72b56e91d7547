// node scripts/release.mjs [--dry-run]: everything a release needs but the publishing, which is the
// two commands printed at the end. `--dry-run` leaves out what .ci/run has done before it (install,
// build, tests), and only says what is not yet as a release has it.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consumer, pack, root } from "./pack.mjs";

const dryRun = process.argv.includes("--dry-run");
const unknown = process.argv.slice(2).filter((option) => option !== "--dry-run");
if (unknown.length > 0) throw new Error(`unknown option ${unknown}`);

const read = (path) => readFileSync(join(root, path), "utf8");
const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
const run = (...args) => execFileSync("npm", args, { cwd: root, stdio: "inherit" });
const step = (name) => console.log(`\n== ${name}`);

/** Stops a release; of a dry run only said. */
function hinder(reason) {
  if (!dryRun) throw new Error(reason);
  console.log(`not yet: ${reason}`);
}

const { name, version, repository } = JSON.parse(read("package.json"));

step(`${name} ${version}: tree, tag, changelog`);
const changed = git("status", "--porcelain");
if (changed) hinder(`the tree is not clean:\n${changed}`);
if (git("tag", "--list", `v${version}`)) hinder(`v${version} is released already`);
const [, when] = new RegExp(`^## ${version.replaceAll(".", "\\.")} \\((.+)\\)$`, "m").exec(
  read("CHANGELOG.md"),
) ?? [undefined, undefined];
if (!when) throw new Error(`CHANGELOG.md has no section "## ${version} (date)"`);
if (!/^\d{4}-\d\d-\d\d$/.test(when)) hinder(`CHANGELOG.md says ${when} instead of a date`);
if (repository.includes("OWNER")) hinder(`package.json's repository is still ${repository}`);
const locked = JSON.parse(read("package-lock.json")).packages[""].version;
if (locked !== version) throw new Error(`package-lock.json says ${locked}`);

if (!dryRun) {
  step("install and build");
  run("ci", "--no-audit", "--no-fund");
  const consumers = ["test:package", "test:bundlers", "test:examples"];
  for (const script of ["lint", "check", "size", "test", ...consumers]) {
    step(script);
    run("run", script);
  }
  step("the public face, as docs/api says it");
  run("run", "api", "--", "--check");
}

step("the tarball, installed, runs the README's first example");
const { tarball, files } = pack();
console.log(`${files.length} files in ${tarball}`);
const folder = consumer(join(tmpdir(), `${name}-release`), tarball);
const [, example] = /```ts\n(.*?)```/s.exec(read("README.md"));
const [, said] = /console\.log\(.*\); \/\/ (.*)/.exec(example);
writeFileSync(join(folder, "example.mjs"), example);
const printed = execFileSync(process.execPath, ["example.mjs"], { cwd: folder, encoding: "utf8" });
console.log(printed.trim());
// The README's engine has relaxed SIMD, this one perhaps not.
if (printed.trim().replace("portable", "relaxed") !== said) {
  throw new Error(`the README says ${said}`);
}

step(dryRun ? "a release would go on with" : "what is left");
console.log(`npm publish ${tarball}\ngit tag v${version} && git push --tags`);
