// Numbers and tokens as text.

/** "12.3 %"; the first digit of what is less than 0.1 %. */
export function percent(share: number): string {
  const hundredths = share * 100;
  if (!(hundredths > 0 && hundredths < 0.1)) return `${hundredths.toFixed(1)} %`;
  return `${hundredths < 1e-6 ? hundredths.toExponential(0) : hundredths.toPrecision(1)} %`;
}

/** With signs for what cannot be seen. */
export function token(text: string): string {
  return text
    .replace(/\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/^ *$/, (all) => all.replace(/ /g, "␣") || "∅");
}
