// `const { attend } = attention` works: methods know what they are of.

/** Gives an object its class's methods as its own, bound to it and not listed. */
export function bindMethods(object: object, prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
    if (typeof value !== "function" || name === "constructor") continue;
    Object.defineProperty(object, name, {
      value: value.bind(object),
      configurable: true,
      writable: true,
    });
  }
}
