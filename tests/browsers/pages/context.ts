// A worker or a service worker, that answers by the port it is given.

import { outcome } from "./outcome";

addEventListener("message", (event) => {
  const [port] = (event as MessageEvent).ports;
  const answer = outcome().then(
    (value) => port.postMessage({ value }),
    (error) => port.postMessage({ error: `${error}\n${error.stack}` }),
  );
  // Only a service worker's events have it: it may be ended as soon as they are over.
  (event as Partial<ExtendableEvent>).waitUntil?.(answer);
});

interface ExtendableEvent extends MessageEvent {
  waitUntil(promise: Promise<unknown>): void;
}
