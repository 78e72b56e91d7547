// Elements, made.

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(text: string, press: () => void, name?: string): HTMLButtonElement {
  const made = make("button", { type: "button", part: "button" }, text);
  if (name) made.setAttribute("aria-label", name);
  made.addEventListener("click", press);
  return made;
}

export function checkbox(text: string, change: (checked: boolean) => void) {
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => change(input.checked));
  return { input, label: make("label", { part: "switch" }, input, text) };
}

/** Radio buttons of one name, each in its label; `choose` is told which. */
export function radio(
  name: string,
  index: number,
  choose: (index: number) => void,
): HTMLInputElement {
  const input = make("input", { type: "radio", name });
  input.addEventListener("change", () => choose(index));
  return input;
}
