import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { readDigits } from "../digits/images";
import { seeded } from "../training/random";
import { answer, train } from "./course";
import { Seeing } from "./model";
import { ANSWERS, anyKind, ask, EVERY_WORD, KINDS } from "./questions";
import { Scenes, SIDE } from "./scenes";
import { Words } from "./words";

const o = JSON.parse(process.argv[2] ?? "{}");
const attention = await createAttention({
  threads: o.threads ?? 1,
  reproducible: o.rep ?? true,
  extensions: [blocks, positions, gradients],
});
const words = Words.of(EVERY_WORD);
const shape = {
  size: 64,
  heads: 4,
  hidden: 128,
  encoder: 1,
  decoder: 2,
  reach: 2,
  ...o.shape,
  side: SIDE,
  channels: 1,
  convolutions: o.conv ?? [16, 32],
  words: words.names.length,
  answers: ANSWERS.length,
};
const random = seeded(2026);
const model = new Seeing(attention, shape, random);
console.log(
  JSON.stringify(o),
  model.parameters.reduce((s, p) => s + p.data.length, 0),
);
const scenes = new Scenes(readDigits("train")),
  held = new Scenes(readDigits("test"));
const Q = o.questions ?? 8;
const drawOf =
  (s: Scenes, q = Q, kinds: string[] = [], share = 0) =>
  (r: any) => {
    const scene = s.draw(r);
    const qs = Array.from({ length: q }, () =>
      ask(scene, r.uniform() < share ? "what is at" : anyKind(r), r),
    );
    for (const x of qs) kinds.push(x.kind);
    return {
      pixels: scene.pixels,
      questions: qs.map((x) => ({ ids: words.encode(x.text), answer: ANSWERS.indexOf(x.answer) })),
    };
  };
const kinds: string[] = [];
const hr = seeded(7);
const test = Array.from({ length: 250 }, () => drawOf(held, 8, kinds)(hr));
const right = test.flatMap((t) => t.questions.map((q) => q.answer));
const course = { steps: 1000, batch: 32, rate: 3e-3, ...o.course };
let n = 0,
  sum = 0;
const begin = performance.now();
const cpu0 = process.cpuUsage();
for (const loss of train(attention, model, drawOf(scenes, Q, [], o.share ?? 0), course, random)) {
  n++;
  sum += loss;
  if (n % 50 === 0) {
    const c = process.cpuUsage(cpu0);
    console.log(
      "   ",
      n,
      loss.toFixed(3),
      ((c.user + c.system) / 1e6).toFixed(1),
      ((performance.now() - begin) / 1000).toFixed(1),
    );
  }
  if (n % (o.every ?? 100) === 0 || n === course.steps) {
    const cpu = process.cpuUsage(cpu0);
    const got = answer(model, test);
    const per = KINDS.map((k) => {
      const ix = kinds.map((x, i) => (x === k ? i : -1)).filter((i) => i >= 0);
      return `${k} ${((100 * ix.filter((i) => got[i] === right[i]).length) / ix.length).toFixed(1)}`;
    });
    console.log(
      n,
      (sum / (o.every ?? 100)).toFixed(4),
      `cpu ${((cpu.user + cpu.system) / 1e6).toFixed(0)} s, wall ${((performance.now() - begin) / 1000).toFixed(0)}`,
      ((100 * got.filter((g, i) => g === right[i]).length) / got.length).toFixed(2),
      per.join(", "),
    );
    sum = 0;
  }
}
