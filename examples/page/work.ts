// The page's worker, and what is said when it fails: what failed, and a button for another try.

import { find, write } from "./elements";

export interface Failed {
  readonly type: "failed";
  readonly reason: string;
}

/** `hear` is told what the worker says. After a failure, "Try again" begins anew with a new worker. */
export class Work<News extends { readonly type: string }, Wish> {
  readonly #hear: (news: News) => void;
  #worker: Worker | undefined;

  constructor(hear: (news: News) => void) {
    this.#hear = hear;
    find("again").addEventListener("click", () => this.start());
    this.start();
  }

  start(): void {
    this.#worker?.terminate();
    document.body.classList.remove("failed", "ready");
    find("failure").hidden = true;
    // Another name each time: a browser may remember that a script did not come.
    const worker = new Worker(`worker.js?${Date.now()}`, { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<News | Failed>) => {
      if (data.type === "failed") this.#fail((data as Failed).reason);
      else {
        if (data.type === "ready") document.body.classList.add("ready");
        this.#hear(data as News);
      }
    });
    worker.addEventListener("error", ({ message }) =>
      this.#fail(message || unreached("worker.js")),
    );
    this.#worker = worker;
  }

  wish(wish: Wish): void {
    this.#worker?.postMessage(wish);
  }

  #fail(reason: string): void {
    this.#worker?.terminate();
    document.body.classList.add("failed");
    write("reason", reason);
    find("failure").hidden = false;
  }
}

/** In words, that a file did not come. */
export function unreached(file: string): string {
  return navigator.onLine
    ? `${file} did not come: the server cannot be reached.`
    : `${file} did not come: this device is offline.`;
}

/** What a worker says of an error. */
export const failedBy = (error: unknown): Failed => ({
  type: "failed",
  reason: error instanceof Error ? error.message : String(error),
});
