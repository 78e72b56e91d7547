// A page that runs the battery itself, in a worker and in service workers, one after another.

import { type Outcome, outcome } from "./outcome";
import { report } from "./report";

export type Contexts = Record<
  "main thread" | "module worker" | "service worker" | "classic service worker",
  Outcome
>;

void report(async (): Promise<Contexts> => {
  const mainThread = await outcome();
  const worker = new Worker("context.js", { type: "module" });
  return {
    "main thread": mainThread,
    "module worker": await ask(worker),
    "service worker": await ask(await serviceWorker("context.js", "module")),
    "classic service worker": await ask(await serviceWorker("classic.js", "classic")),
  };
});

function ask(whom: Worker | ServiceWorker): Promise<Outcome> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve, reject) => {
    whom.onerror = (event) => reject(new Error(`not started: ${(event as ErrorEvent).message}`));
    port1.onmessage = ({ data }) => ("value" in data ? resolve(data.value) : reject(data.error));
    whom.postMessage(undefined, [port2]);
  });
}

async function serviceWorker(url: string, type: WorkerType): Promise<ServiceWorker> {
  const registration = await navigator.serviceWorker.register(url, { type, scope: `./${type}/` });
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  if (!worker) throw new Error(`${url} is registered without a worker`);
  while (worker.state !== "activated") {
    if (worker.state === "redundant") throw new Error(`${url} was not installed`);
    await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
  }
  return worker;
}
