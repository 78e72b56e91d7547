// examples/shards' files for machines: as their schemas want them, of one mind about how many workers there are;
// and the server's configuration lets each side do its work, and nothing else.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { DCLinter } from "dclint";
import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { connectShards, createShards } from "wasm-attention/shards/nats";
import { parse, parseAllDocuments } from "yaml";
import { bitsOf, randomTensor } from "../engines";
import { Server } from "./server";

const folder = new URL("../../examples/shards/", import.meta.url);
const build = new URL("build/", import.meta.url);
const text = (name: string) => readFileSync(new URL(name, folder), "utf8");

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: Record<string, never>;
}

/** What is wrong with a manifest, by Kubernetes' own schemas. */
async function wrongWith(manifest: object): Promise<string | undefined> {
  const { apiVersion, kind } = manifest as Manifest;
  const { [kind]: Model } = await import(`kubernetes-models/${apiVersion}/${kind}`);
  try {
    new Model(manifest).validate();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const manifests = (parseAllDocuments(text("kubernetes.yaml")) as { toJS(): Manifest }[]).map(
  (document) => document.toJS(),
);

test("kubernetes.yaml: every manifest as its schema wants it", async () => {
  const kinds = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  assert.deepEqual(kinds, [
    "Service nats",
    "StatefulSet nats",
    "Service worker",
    "StatefulSet worker",
    "PodDisruptionBudget worker",
    "NetworkPolicy nats",
  ]);
  for (const manifest of manifests) assert.equal(await wrongWith(manifest), undefined);
  const [, set] = manifests as [Manifest, Manifest];
  assert.match(`${await wrongWith({ ...set, spec: { ...set.spec, replicas: "1" } })}`, /replicas/);
  assert.match(`${await wrongWith({ ...set, spec: {} })}`, /required/);
});

/** What the Compose specification's schema says of a file. */
function composeErrors(path: string) {
  const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] } as never);
  const [result] = linter.lintFiles([path], false);
  assert(result);
  return result.messages.filter(({ rule }) => rule.startsWith("invalid"));
}

test("compose.yaml: as the Compose specification's schema wants it", () => {
  assert.deepEqual(composeErrors(fileURLToPath(new URL("compose.yaml", folder))), []);
  const wrong = fileURLToPath(new URL("wrong.yaml", build));
  mkdirSync(build, { recursive: true });
  writeFileSync(wrong, text("compose.yaml").replaceAll("restart: unless-stopped", "restart: 7"));
  assert.match(`${composeErrors(wrong)[0]?.message}`, /restart.*must be string/);
});

const compose = parse(text("compose.yaml"), { merge: true });

test("as many workers as the deployment says, each with its number", () => {
  const names = Object.keys(compose.services).filter((name) => name.startsWith("worker"));
  const { SHARDS } = compose.services[names[0] as string].environment;
  assert.equal(names.length, JSON.parse(SHARDS).workers);
  const numbers = names.map((name) => compose.services[name].environment.WORKER);
  assert.deepEqual(numbers, ["0", "1", "2"]);
  const set = manifests.find(
    ({ kind, metadata }) => kind === "StatefulSet" && metadata.name === "worker",
  ) as unknown as { spec: { replicas: number; template: Record<string, never> } };
  const { env } = (set.spec.template as never as { spec: { containers: [{ env: never[] }] } }).spec
    .containers[0];
  const shards = (env as { name: string; value: string }[]).find(({ name }) => name === "SHARDS");
  assert.equal(set.spec.replicas, JSON.parse(`${shards?.value}`).workers);
  assert.equal(shards?.value, SHARDS);
});

const passwords = { WORKER_PASSWORD: "w0rker-secret", CLIENT_PASSWORD: "cl1ent-secret" };
const sizes = { keyValueHeads: 2, headSize: 8, workers: 3, replicas: 2 };

/** The program that is deployed, where its imports are found. */
async function startWorker(port: number, worker: number): Promise<ChildProcess> {
  const file = new URL("deployment.mjs", build);
  copyFileSync(new URL("deployment.mjs", folder), file);
  const env = {
    ...process.env,
    NATS_URL: `nats://127.0.0.1:${port}`,
    NATS_USER: "worker",
    NATS_PASSWORD: passwords.WORKER_PASSWORD,
    SHARDS: JSON.stringify({ name: "docs", ...sizes }),
    SNAPSHOTS: "snapshots-docs",
    WORKER: `${worker}`,
  };
  const started = spawn(process.execPath, [fileURLToPath(file)], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(started, "exit").then(() => Promise.reject(new Error("a worker ended")));
  const [said] = await Promise.race([once(started.stdout as never, "data"), ended]);
  assert.match(`${said}`, /^worker \d of docs answers/);
  return started;
}

test("nats.conf: each side does its work, and nothing else", async () => {
  Object.assign(process.env, passwords);
  const server = await Server.with((port, folder) =>
    text("nats.conf")
      .replace("0.0.0.0:4222", `127.0.0.1:${port}`)
      .replace('http: "0.0.0.0:8222"\n', "")
      .replace("/data", `${folder}/store`),
  );
  const workers: ChildProcess[] = [];
  try {
    for (let worker = 0; worker < 3; worker++) workers.push(await startWorker(server.port, worker));
    const client = await server.connect({
      user: "client",
      pass: passwords.CLIENT_PASSWORD,
      inboxPrefix: "_INBOX_client",
    });
    const attention = await createAttention({ extensions: [cache], reproducible: true });
    const shards = await connectShards(client, attention, "docs");
    assert.equal((await shards.workers()).length, 3);
    const sequence = await shards.sequence("text");
    const [key, value] = [1, 2].map((seed) => randomTensor([1, 2, 9000, 8], seed)) as never[];
    await sequence.append(key as never, value as never);
    const query = randomTensor([1, 4, 1, 8], 3);
    const { output } = await sequence.attend(query);
    const want = attention.attend(query, key as never, value as never);
    assert.deepEqual(bitsOf({ output }), bitsOf({ output: want.output }));

    // Who has no password does not come in.
    await assert.rejects(server.connect({ user: "client", pass: "x", reconnect: false }));
    // A client neither makes nor ends deployments, nor hears others' queries.
    await assert.rejects(createShards(client, { name: "more", ...sizes }), /[Pp]ermission/);
    const manager = await jetstreamManager(client);
    await assert.rejects(manager.streams.delete("SHARDS_docs"), /[Pp]ermission/);
    await assert.rejects(manager.streams.purge("SHARDS_docs"), /[Pp]ermission/);
    for (const subject of ["shards.docs.ask.0", "shards.docs.log.text", "_INBOX_worker.>"]) {
      const heard = new Promise<Error | null>((resolve) => {
        client.subscribe(subject, { callback: (error) => resolve(error) });
      });
      assert.match(`${await heard}`, /[Pp]ermission/);
    }
    // A worker changes no sequence, and does not ask in a client's place.
    const worker = await server.connect({
      user: "worker",
      pass: passwords.WORKER_PASSWORD,
      inboxPrefix: "_INBOX_worker",
    });
    await assert.rejects(jetstream(worker).publish("shards.docs.log.text", "x"), /[Pp]ermission/);
    await assert.rejects(worker.request("shards.docs.ask.0", "x"), /[Pp]ermission/);
    const ended = await jetstreamManager(worker);
    await assert.rejects(ended.streams.delete("SHARDS_docs"), /[Pp]ermission/);
    assert.equal(sequence.length, 9000);
    await sequence.refresh();
    assert.equal(sequence.length, 9000);
  } finally {
    for (const worker of workers) worker.kill("SIGKILL");
    await server.end();
  }
});

test("the deployed program says what it lacks", () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL("deployment.mjs", build))],
    { encoding: "utf8", env: { ...process.env, SHARDS: "" } },
  );
  assert.equal(status, 2);
  assert.match(stderr, /^SHARDS and WORKER are needed, see /);
});
