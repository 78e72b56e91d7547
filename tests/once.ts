// References that both builds are held against: made once.

/** Gives what `make` gave for the key at first. */
export function once<Value>(): (key: string, make: () => Value) => Value {
  const made = new Map<string, Value>();
  return (key, make) => {
    const value = made.get(key) ?? make();
    made.set(key, value);
    return value;
  };
}
