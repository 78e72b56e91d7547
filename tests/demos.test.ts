// The command lines of all demos alike: what they do not know ends them with one line and code 2.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";

const demos = readdirSync("examples").filter((name) => existsSync(`examples/${name}/demo.ts`));

function refuses(name: string, args: readonly string[], said: RegExp): void {
  const all = ["--import", "tsx", `examples/${name}/demo.ts`, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
  assert.equal(status, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, said);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
}

test("there are all of them", () => {
  assert.deepEqual(demos.toSorted(), [
    "compress",
    "digits",
    "llama",
    "pronounce",
    "see",
    "semantic-search",
    "seq2seq-rnn",
    "speech",
    "summarise",
    "translation",
    "write",
  ]);
});

for (const name of demos) {
  test(`${name}: an option it does not have`, () => {
    refuses(name, ["--foo"], /^Unknown option '--foo'/);
  });
}

test("a reader that has seen enough ends a demo, and nothing is said of it", async () => {
  const script = `import "./examples/arguments"; setInterval(() => console.log("x".repeat(9999)));`;
  const all = ["--import", "tsx", "--input-type=module", "--eval", script];
  const demo = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  demo.stderr.on("data", (text) => {
    said += text;
  });
  demo.stdout.once("data", () => demo.stdout.destroy());
  const [code] = await once(demo, "close");
  assert.equal(said, "");
  assert.equal(code, 0);
});

test("numbers of steps, and words too many", () => {
  for (const steps of ["0", "1.5", "1e9"]) {
    refuses("digits", [`--steps=${steps}`], /^--steps expected a whole number from 1, got "/);
  }
  refuses("semantic-search", ["--weights=int3"], /^--weights expected int8 or int4, got "int3"/);
  refuses("semantic-search", ["--int8", "--int16"], /^--int16 or --int8, got both/);
  refuses("compress", ["--images=x"], /^--images expected a whole number from 1, got "x"/);
  refuses("semantic-search", ["--workers=0"], /^--workers expected a whole number from 1, got "0"/);
  refuses("digits", ["--steps"], /^Option '--steps <value>' argument missing/);
  refuses("translation", ["--steps="], /^--steps expected a whole number from 1, got ""/);
  refuses("translation", ["--seed", "x"], /^--seed expected a whole number from 1, got "x"/);
  refuses("translation", ["more"], /^Unexpected argument 'more'/);
  refuses("seq2seq-rnn", ["--steps", "x"], /^--steps expected a whole number from 1, got "x"/);
  refuses("seq2seq-rnn", ["--pairs", "LICENSE"], /^line 1 is not source, tab, target: MIT License/);
  refuses("pronounce", ["--steps=0"], /^--steps expected a whole number from 1, got "0"/);
  refuses("write", ["--beams=0"], /^--beams expected a whole number from 1, got "0"/);
});

test("numbers out of bounds, and files that are no model", () => {
  refuses("write", ["--top-p=1.5"], /^--top-p expected a number from 0 to 1, got "1.5"/);
  refuses("write", ["--temperature="], /^--temperature expected a number from 0 to 100, got ""/);
  refuses("write", ["--min-p", "x"], /^--min-p expected a number from 0 to 1, got "x"/);
  refuses("speech", ["--threads=0"], /^--threads expected a whole number from 1, got "0"/);
  refuses("speech", ["one.wav", "two.wav"], /^one file at a time, got 2/);
  refuses("speech", ["nowhere.wav"], /^ENOENT: no such file .*'nowhere\.wav'/);
  refuses("see", ["--scene=0"], /^--scene expected a whole number from 1, got "0"/);
  refuses("see", ["what is a whale?"], /^“whale” is no word that it knows; it knows a, above, /);
  refuses("see", [""], /^a question expected, got ""/);
  refuses("see", ["--easy-vqa", "--data", "nowhere"], /^no questions\.jsonl in nowhere: --data/);
  refuses("pronounce", ["naïve"], /^a word expected 1 to 40 letters from a to z, got "naïve"/);
  refuses("summarise", ["--sentences=0"], /^--sentences expected a whole number from 1, got "0"/);
  refuses("summarise", ["--chapter=136"], /^--chapter expected 1 to 135, got "136"/);
  refuses("summarise", ["--query= "], /^--query expected a question, got ""/);
  refuses("summarise", ["a.txt", "b.txt"], /^one file, got 2/);
  refuses("summarise", ["/dev/null"], /^the text has no sentence in it/);
  refuses("summarise", ["nowhere.txt"], /^ENOENT: no such file .*'nowhere\.txt'/);
  refuses("llama", [], /^--model FILE: a GGUF or llama2\.c checkpoint/);
  refuses("llama", ["--model", "nowhere.gguf"], /^ENOENT: no such file .*'nowhere\.gguf'/);
  refuses("llama", ["--model", "LICENSE"], /^no llama2\.c checkpoint/);
});
