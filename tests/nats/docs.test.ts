// The code of docs/shards-nats.md runs, and prints what its comments say.

import { test } from "node:test";
import { checkCode } from "../page";
import { Server } from "./server";

test("docs/shards-nats.md", async () => {
  const server = await Server.start();
  try {
    process.env.NATS_PORT = `${server.port}`;
    checkCode("shards-nats.md", new URL("build/", import.meta.url));
  } finally {
    await server.end();
  }
});
