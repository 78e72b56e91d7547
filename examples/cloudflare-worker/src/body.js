// A request's body as JSON, read no further than it may be long.

/** What is wrong with a body, and the status that says so. */
export class BodyError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @throws BodyError 413 past `most` bytes, 400 for what is not JSON. */
export async function readJson(request, most) {
  const bytes = await read(request, most);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new BodyError(400, `not JSON: ${error.message}`);
  }
}

async function read({ headers, body }, most) {
  const refuse = () => new BodyError(413, `at most ${most} bytes`);
  // A header is a claim: what comes is counted too.
  if (Number(headers.get("content-length")) > most) throw refuse();
  const bytes = new Uint8Array(most);
  let length = 0;
  const reader = body?.getReader();
  for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader.read()) {
    if (length + chunk.value.length > most) {
      await reader.cancel();
      throw refuse();
    }
    bytes.set(chunk.value, length);
    length += chunk.value.length;
  }
  return bytes.subarray(0, length);
}
