// What src/threads/start.ts is elsewhere, for platforms that have no workers.

export const startEngine = (): string => "this platform has no workers";
