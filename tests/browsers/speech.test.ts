// The page that writes down speech, in headless Chromium: the example, a file of another rate, a microphone that
// plays the example; each word says where in the sound it looked.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { areInstalled, files } from "../../examples/speech/packages/files";
import { assertAccessible, assertFits } from "./accessible";
import { root, type Served, serve } from "./chromium";

const shots = `${root}build/screenshots`;
const PATIENCE = 120_000;
const SAID = "ask not what your country can do for you ask what you can do for your country";
const options = {
  skip: areInstalled() ? false : "no weights: npm run demo:speech installs them",
};
let served: Served;

before(async () => {
  if (options.skip) return;
  execFileSync(process.execPath, [`${root}examples/speech/web/build.mjs`]);
  mkdirSync(shots, { recursive: true });
  served = await serve(`${root}build/speech`, undefined, undefined, [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${files.recording.pathname}`,
  ]);
});

after(() => served?.close());

async function open(width: number, height: number, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await page.waitForSelector("body.ready", { timeout: PATIENCE });
  return page;
}

const still = (page: Page) => page.waitForSelector("body[data-state=still]", { timeout: PATIENCE });

const text = async (page: Page, id: string) => (await page.textContent(`#${id}`)) ?? "";

const wordsOf = (page: Page) =>
  page.$$eval("#text .word", (words) => words.map((word) => word.textContent ?? ""));

const plain = (words: readonly string[]) =>
  words.map((word) => word.toLowerCase().replace(/\W/gu, "")).join(" ");

/** Seconds at which a word looked most, as the page says it. */
async function timeOf(page: Page): Promise<number> {
  return Number(/([\d.]+) s\.$/u.exec(await text(page, "looked"))?.[1]);
}

test("the example becomes text, and its words look along the sound, desktop", options, async () => {
  const page = await open(1400, 900, "light");
  assert.match(await text(page, "about"), /27,\d{3},\d{3} parameters · (portable|relaxed) build/);
  await page.click("#example");
  await still(page);
  const words = await wordsOf(page);
  assert.ok(plain(words).endsWith(SAID), words.join(" "));
  assert.equal(await text(page, "seconds"), "11.0 s");
  assert.ok(Number(await text(page, "factor")) > 0);

  // The words one after the other, from keys.
  const times: number[] = [];
  await page.locator("#text .word").first().click();
  for (const word of words) {
    assert.ok((await text(page, "looked")).startsWith(`“${word}” looked most at`), word);
    times.push(await timeOf(page));
    await page.keyboard.press("ArrowRight");
  }
  const forward = times.filter((time, i) => i === 0 || time >= times[i - 1] - 0.1);
  assert.ok(forward.length >= times.length - 1, `${times}`);
  assert.ok(times[0] < 1.2 && (times.at(-1) as number) > 9 && times[0] > 0, `${times}`);

  // The strip below the spectrogram is darkest where the page says that the last word looked.
  const darkest = await page.$eval("#spectrum", (element) => {
    const canvas = element as HTMLCanvasElement;
    const { width, height } = canvas;
    const row = canvas.getContext("2d")?.getImageData(0, height - 1, width, 1).data ?? [];
    const light = Array.from(
      { length: width },
      (_, x) => row[4 * x] + row[4 * x + 1] + row[4 * x + 2],
    );
    return light.indexOf(Math.min(...light)) / width;
  });
  const last = times.at(-1) as number;
  assert.ok(Math.abs(11 * darkest - last) < 0.2, `${11 * darkest} s, ${last} s`);
  const shown = await page.evaluate(() => {
    const { maps, chosen } = document.querySelector("attention-view") as unknown as {
      maps: { weights: { dims: number[] }[]; rows: string[] };
      chosen: { layer: number; head: number };
    };
    return { layers: maps.weights.length, dims: maps.weights[0].dims, rows: maps.rows, chosen };
  });
  // The head of all that goes along with the words most closely.
  const chosen = { layer: 3, head: 5 };
  assert.deepEqual(shown, { layers: 6, dims: [8, words.length, 457], rows: words, chosen });
  await assertAccessible(page);
  await assertFits(page);
  await page.screenshot({ path: `${shots}/speech-desktop.png`, fullPage: true });
  await page.close();
});

test("a file: a wav of another rate, and one that is no sound, phone", options, async () => {
  const page = await open(390, 844, "dark");
  const [name, mimeType] = ["none.wav", "audio/wav"];
  await page.setInputFiles("#file", { name, mimeType, buffer: Buffer.from("no sound") });
  await page.waitForFunction(() =>
    /no sound/.test(document.querySelector("#status")?.textContent ?? ""),
  );
  await page.setInputFiles("#file", files.recording.pathname);
  await page.waitForSelector("body[data-state=listening]");
  await still(page);
  assert.ok(plain(await wordsOf(page)).endsWith(SAID));
  await page.locator("#text .word").nth(3).click();
  await page.waitForSelector("body[data-word='3']");
  assert.equal(await page.locator("#text .word[tabindex='0']").count(), 1);
  assert.equal(await page.locator("#text .word[aria-pressed=true]").count(), 1);
  await assertAccessible(page);
  await assertFits(page);
  await page.screenshot({ path: `${shots}/speech-phone.png`, fullPage: true });
  const live = await page.$$eval("[aria-live], [role=status], [role=alert]", (all) =>
    all.map(({ id }) => id).filter((id) => id !== ""),
  );
  assert.deepEqual(live, ["failure", "status"]);
  await page.close();
});

test("the microphone: text while one speaks, and all of it when one stops", options, async () => {
  const context = await served.browser.newContext({ permissions: ["microphone"] });
  const page = await context.newPage();
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(served.address);
  await page.waitForSelector("body.ready", { timeout: PATIENCE });
  await page.click("#record");
  await page.waitForSelector("body[data-state=recording]");
  // Chromium plays the file over and over.
  await page.waitForFunction(
    () => /can do\W+for you/i.test(document.querySelector("#text")?.textContent ?? ""),
    undefined,
    { timeout: PATIENCE },
  );
  assert.equal(await text(page, "record"), "Stop");
  await page.click("#record");
  await still(page);
  assert.equal(await text(page, "record"), "Record");
  assert.match(plain(await wordsOf(page)), /what your country can do for you/);
  await context.close();
});
