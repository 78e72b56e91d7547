// What src/threads.ts is elsewhere, for platforms that have no workers.

function none(): never {
  throw new Error("this platform has no workers");
}

export { none as autoThreads, none as startPool };
