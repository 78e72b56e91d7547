// The element's name.

import { UnsupportedError } from "../errors";
import { elementClass } from "./element";
import { NAME, refuse } from "./refusal";

/**
 * Registers `<attention-view>`, or another name, with the page; a name that is taken already stays what it is.
 * Only then is anything of a page asked for: the module can be imported anywhere.
 * @param name of a custom element: small letters with a hyphen.
 * @throws ArgumentError for what is no such name; UnsupportedError where there are no custom elements, as in
 * Node and in workers.
 */
export function defineAttentionView(name = NAME): void {
  if (!/^[a-z][a-z\d_.]*-[a-z\d_.-]*$/.test(name))
    refuse("name", "a custom element’s name, small letters with a hyphen", name);
  if (typeof customElements === "undefined")
    throw new UnsupportedError("defineAttentionView", "customElements", "a page", "none");
  if (!customElements.get(name)) customElements.define(name, elementClass());
}
