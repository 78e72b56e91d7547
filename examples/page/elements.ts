// Elements of a page, found and made.

export const find = <T extends Element = HTMLElement>(id: string) =>
  document.getElementById(id) as unknown as T;

export const write = (id: string, text: string) => {
  find(id).textContent = text;
};

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A button for each text; `choose` is told which was pressed. */
export function suggest(
  list: HTMLElement,
  texts: readonly string[],
  choose: (text: string) => void,
) {
  list.replaceChildren(
    ...texts.map((text) =>
      make("button", { type: "button", textContent: text, onclick: () => choose(text) }),
    ),
  );
}
