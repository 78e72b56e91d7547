// What a request may hold: a query and documents, all texts or all vectors of one size.

import * as v from "valibot";
import { BodyError } from "./body.js";

const MOST_DOCUMENTS = 10_000;
const LARGEST_VECTOR = 4096;
const SHARPNESS = 16;

/** A number that float32 can hold; JSON's 1e39 it cannot. */
const isFloat = (x) => Number.isFinite(Math.fround(x));
const text = v.string();
const vector = v.pipe(
  v.array(v.pipe(v.number(), v.check(isFloat, "numbers that float32 can hold"))),
  v.minLength(1),
  v.maxLength(LARGEST_VECTOR),
);
const both = v.union([text, vector], "expected texts, or vectors of numbers that float32 can hold");

const request = v.pipe(
  v.strictObject({
    query: both,
    documents: v.pipe(v.array(both), v.minLength(1), v.maxLength(MOST_DOCUMENTS)),
    sharpness: v.optional(v.pipe(v.number(), v.minValue(1e-3), v.maxValue(1e3)), SHARPNESS),
  }),
  v.check(
    ({ query, documents }) => documents.every((one) => typeof one === typeof query),
    "expected texts alone, or vectors alone",
  ),
  v.check(
    ({ query, documents }) =>
      typeof query === "string" || documents.every(({ length }) => length === query.length),
    "expected vectors of one size",
  ),
);

/** @throws BodyError that says where it is wrong. */
export function parse(body) {
  const { success, output, issues } = v.safeParse(request, body, { abortEarly: true });
  if (success) return output;
  const [issue] = issues;
  const path = v.getDotPath(issue);
  throw new BodyError(400, `${path ? `${path}: ` : ""}${issue.message}`);
}
