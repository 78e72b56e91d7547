// The page: what is typed is read by the model of examples/write, all at once, and its weights are shown.

import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { type AttentionView, defineAttentionView } from "wasm-attention/view";
import { download } from "../page/download";
import { find, write } from "../page/elements";
import { unpackModel } from "../write/weights";
import { Writer } from "../write/writer";

defineAttentionView();
const view = document.querySelector("attention-view") as AttentionView;
const text = find<HTMLTextAreaElement>("text");

async function start() {
  const [attention, bytes] = await Promise.all([
    createAttention({ extensions: [positions, cache] }),
    download("model.safetensors"),
  ]);
  const writer = new Writer(attention, await unpackModel(bytes));
  const { vocabulary } = writer.model;
  const read = () => {
    const ids = vocabulary.encode(text.value);
    if (ids.length === 0) return;
    const begun = performance.now();
    const texts = writer.begin();
    const { weights } = texts.append([ids], { weights: true });
    texts.dispose();
    const milliseconds = Math.round(performance.now() - begun);
    const rows = ids.map((id) => vocabulary.added(id));
    view.maps = { weights, rows, causal: true };
    write("status", `${ids.length} pieces in ${milliseconds} ms`);
    document.body.dataset.pieces = `${ids.length}`;
  };
  text.disabled = false;
  text.addEventListener("input", read);
  read();
}

start().catch((error: Error) => write("status", error.message));
