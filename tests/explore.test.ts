// examples/explore in short: what its models' heads look at in float32, beside int16 and int8.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { differenceOf, largestOf } from "../examples/explore/difference";
import { exploreSentences } from "../examples/explore/models/sentences";
import { exploreWriter } from "../examples/explore/models/writer";
import { readModelFile } from "../examples/semantic-search/files";
import { engine, variants } from "./engines";

for (const variant of variants)
  test(`attention in integers beside float32, ${variant}`, async (t) => {
    using attention = await engine(variant);
    const model = readFileSync("examples/write/model.safetensors");
    for (const [name, explored] of [
      ["sentences", await exploreSentences(attention, readModelFile)],
      ["writer", await exploreWriter(attention, model)],
    ] as const) {
      const trained = explored.look(explored.beginning, "as it was trained");
      for (const [setting, most] of [
        ["attention in int16", 1e-3],
        ["attention in int8", 0.1],
      ] as const) {
        assert.ok(explored.settings.includes(setting));
        const { maps } = explored.look(explored.beginning, setting);
        const difference = differenceOf(trained.maps, maps);
        assert.ok(difference);
        assert.deepEqual(difference.rows, trained.maps.rows);
        const largest = largestOf(difference);
        t.diagnostic(`${name}, ${setting}: ${largest}`);
        assert.ok(largest > 0 && largest <= most, `${name}, ${setting}: ${largest}`);
      }
    }
  });
