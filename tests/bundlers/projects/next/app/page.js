import Client from "./client";
import { attendSmall } from "./small";

export const dynamic = "force-dynamic";

// A server component; the client component beside it computes in the browser.
export default async function Page() {
  return (
    <main>
      <p id="server">{JSON.stringify(await attendSmall({ threads: 2 }))}</p>
      <Client />
    </main>
  );
}
