// What a page posts to the test's server: a value, or why there is none.

export async function report(work: () => Promise<unknown>): Promise<void> {
  let body: string;
  try {
    body = JSON.stringify({ value: await work() });
  } catch (error) {
    body = JSON.stringify({ error: `${error}\n${(error as Error).stack}` });
  }
  await fetch(`/report${location.search}`, { method: "POST", body });
}
