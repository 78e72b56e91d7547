// A program on Node computes.

import { computed } from "./compute.js";

computed.then((result) => console.log(JSON.stringify(result)));
