import { computed } from "./compute.js";

computed.then((result) => postMessage(result));
