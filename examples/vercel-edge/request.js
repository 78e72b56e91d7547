// What a request may hold. Options are those of `attend` that need no tensors of their own.

import * as v from "valibot";
import { BodyError } from "./body.js";

/** A number that float32 can hold; JSON's 1e39 it cannot. */
const isFloat = (x) => Number.isFinite(Math.fround(x));
const number = v.pipe(v.number(), v.check(isFloat, "a number that float32 can hold"));
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 30));
const lengths = v.array(count);

const tensor = v.strictObject({
  data: v.pipe(
    v.array(number),
    v.transform((numbers) => Float32Array.from(numbers)),
  ),
  dims: v.pipe(v.array(v.pipe(count, v.minValue(1))), v.minLength(2), v.maxLength(4)),
});

const options = v.strictObject({
  scale: v.optional(number),
  causal: v.optional(v.union([v.boolean(), v.picklist(["upper-left", "lower-right"])])),
  queryOffset: v.optional(v.union([count, lengths])),
  window: v.optional(v.strictObject({ left: v.optional(count), right: v.optional(count) })),
  softcap: v.optional(number),
  keyLengths: v.optional(lengths),
  queryLengths: v.optional(lengths),
});

const request = v.strictObject({
  query: tensor,
  key: v.optional(tensor),
  value: v.optional(tensor),
  options: v.optional(options, {}),
});

/** @throws BodyError that says where it is wrong. */
export function parse(body) {
  const { success, output, issues } = v.safeParse(request, body, { abortEarly: true });
  if (success) return output;
  const [issue] = issues;
  throw new BodyError(400, `${v.getDotPath(issue) ?? "body"}: ${issue.message}`);
}
