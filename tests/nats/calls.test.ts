// Jobs shared out over processes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Tensor } from "wasm-attention";
import { type CallData, CallError, connectCalls, serveCalls } from "wasm-attention/shards/nats";
import { Server } from "./server";

let server: Server;
before(async () => {
  server = await Server.start();
});
after(() => server.end());

test("jobs go to any of the processes; errors are typed, deadlines kept", async () => {
  const jobs = connectCalls(await server.connect(), "jobs");
  await assert.rejects(jobs.call("sum", {}), { name: "CallError", kind: "Unavailable" });
  const workers = [];
  for (let i = 0; i < 2; i++) workers.push(await server.worker({ name: "jobs", calls: true }));
  const x = { data: Float32Array.of(1, 2, 3.5), dims: [3] };
  const who = new Set<unknown>();
  for (let i = 0; i < 40; i++) {
    const { values, tensors } = await jobs.call("sum", { values: { i }, tensors: { x } });
    assert.deepEqual(tensors?.sum, { data: Float32Array.of(6.5), dims: [1] });
    const said = values as { who: number; i: number };
    assert.equal(said.i, i);
    who.add(said.who);
  }
  assert.equal(who.size, 2);
  await assert.rejects(jobs.call("fail", {}), (error: Error) => {
    assert(error instanceof CallError);
    assert.deepEqual([error.kind, error.message], ["RangeError", "as asked"]);
    return true;
  });
  await assert.rejects(jobs.call("toString", {}), /no handler "toString"/);
  const start = performance.now();
  await assert.rejects(jobs.call("wait", {}, { timeout: 100 }), { kind: /TimeoutError/ });
  assert(performance.now() - start < 5000);
  const reason = new Error("enough");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(
    jobs.call("wait", {}, { signal: controller.signal }),
    (error) => error === reason,
  );
  const large = { data: new Float32Array(2 ** 20), dims: [2 ** 20] };
  await assert.rejects(jobs.call("sum", { tensors: { x: large } }), RangeError);
  await workers[0]?.kill();
  await jobs.call("sum", { tensors: { x } });
});

test("tensors of other numbers, dims or names are refused where they are given", async () => {
  const connection = await server.connect();
  const doubles = { data: new Float64Array(2), dims: [2] } as unknown as Tensor;
  const service = serveCalls(connection, {
    name: "checked",
    handlers: {
      echo: (data) => data,
      doubles: () => ({ tensors: { x: doubles } }),
      nothing: () => undefined as unknown as CallData,
    },
  });
  const jobs = connectCalls(await server.connect(), "checked");
  assert.deepEqual((await jobs.call("echo")).tensors, {});
  for (const [data, message] of [
    [{ tensors: { x: doubles } }, /^call: "data.tensors.x.data" expected a Float32Array/],
    [
      { tensors: { x: { data: new Float32Array(2), dims: [3] } } },
      /^call: "data.tensors.x.data" expected 3 elements, got 2/,
    ],
    [{ tensor: {} }, /^call: "tensor" expected the name "tensors"/],
    [null, /^call: "data" expected an object, got null/],
  ] as [CallData, RegExp][]) {
    await assert.rejects(jobs.call("echo", data), { name: "ArgumentError", message });
  }
  for (const [handler, message] of [
    ["doubles", 'doubles: "answer.tensors.x.data" expected a Float32Array, got Float64Array of 2'],
    ["nothing", 'nothing: "answer" expected an object, got undefined'],
  ] as const) {
    await assert.rejects(jobs.call(handler), { kind: "ArgumentError", message });
  }
  await service.close();
});

test("a service that is closed answers what it has begun", async () => {
  const connection = await server.connect();
  let begun = () => {};
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const service = serveCalls(connection, {
    name: "closing",
    handlers: {
      async slow() {
        begun();
        await new Promise((resolve) => setTimeout(resolve, 200));
        return { values: "done" };
      },
    },
  });
  const jobs = connectCalls(await server.connect(), "closing");
  const job = jobs.call("slow");
  await started;
  await service.close();
  await connection.close();
  assert.equal((await job).values, "done");
  await assert.rejects(jobs.call("slow"), { kind: "Unavailable" });
});
