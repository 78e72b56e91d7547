import { attendSmall } from "../small";

export const runtime = "edge";

export async function GET() {
  return Response.json(await attendSmall());
}
