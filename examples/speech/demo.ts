// npm run demo:speech [-- file.wav]: Moonshine tiny (Jeffries et al. 2024) writes down what is said, and shows
// where in the sound each word looked.

import { readFileSync } from "node:fs";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { orEnd } from "../arguments";
import { readArguments } from "./arguments";
import { Listener, limitOf, type Token } from "./listener";
import { areInstalled, read } from "./packages/files";
import { picture } from "./picture";
import { cut, loudness, type Piece, RATE } from "./sound";
import { wordsOf } from "./words";

const { file, threads } = readArguments();
const bytes = orEnd(() => {
  const given = file === undefined ? undefined : readFileSync(file);
  if (!areInstalled())
    throw new Error("the weights are not installed: npm run demo:speech does it");
  return given ?? read("recording");
});
const [{ readOnnx }, { readWav }, spelling] = await Promise.all([
  import("./packages/onnx"),
  import("./packages/wav"),
  import("./packages/tokens"),
]);

const sound = await readWav(bytes).catch((error: Error) => orEnd(() => fail(error)));
if (sound.length === 0) orEnd(() => fail(new Error(`no sound in ${file}`)));
const begin = performance.now();
const attention = await createAttention({ threads, extensions: [blocks, cache, positions] });
const weights = { encoder: readOnnx(read("encoder")), decoder: readOnnx(read("decoder")) };
const listener = new Listener(attention, weights);
const loaded = performance.now() - begin;
const parts = [weights.encoder, weights.decoder];
const parameters = parts.reduce((sum, { parameters }) => sum + parameters, 0);
console.log(`
${pc.bold("Speech: Moonshine tiny writes down what is said")}
  ${parameters.toLocaleString("en")} parameters of eight bits, read in ${Math.round(loaded)} ms; ${attention.variant} build, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}
  ${file ?? "President Kennedy, 1961"}: ${seconds(sound.length / RATE)} of sound
`);

const spent = { encoder: 0, decoder: 0 };
const pieces = cut(sound).map((piece) => ({ piece, tokens: listen(piece) }));
const heard = pieces.some(({ tokens }) => tokens.length > 0);
console.log(heard ? "\n" : "  nothing was heard\n");
for (const { piece, tokens } of pieces) show(piece, tokens);
const all = (spent.encoder + spent.decoder) / 1000;
const length = sound.length / RATE;
console.log(`  encoder ${Math.round(spent.encoder)} ms, decoder ${Math.round(spent.decoder)} ms
  real-time factor ${pc.bold((all / length).toFixed(3))}: ${(length / all).toFixed(1)} seconds of sound a second
`);
listener.dispose();
attention.dispose();

/** Writes the text as it comes. */
function listen({ samples }: Piece): readonly Token[] {
  let before = performance.now();
  const lap = () => {
    const now = performance.now();
    const passed = now - before;
    before = now;
    return passed;
  };
  const encoded = listener.encode(samples);
  spent.encoder += lap();
  if (!encoded) return [];
  const tokens: Token[] = [];
  let written = "";
  for (const token of listener.write(encoded, limitOf(samples))) {
    tokens.push(token);
    const text = spelling.textOf(tokens.map(({ id }) => id));
    process.stdout.write(pc.bold(text.slice(written.length)));
    written = text;
  }
  process.stdout.write(" ");
  spent.decoder += lap();
  return tokens;
}

function show({ at, samples }: Piece, tokens: readonly Token[]): void {
  const words = wordsOf(tokens, spelling);
  if (words.length === 0) return;
  const columns = Math.max(20, Math.min((process.stdout.columns ?? 100) - 32, 68));
  console.log(`${picture(words, loudness(samples, columns), at).join("\n")}\n`);
}

function seconds(length: number): string {
  return `${length.toFixed(1)} s`;
}

function fail(error: Error): never {
  throw error;
}
