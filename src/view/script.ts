// dist/view.js, for a script tag: the element is there as soon as it has loaded.

import { defineAttentionView } from "./define";

defineAttentionView();
