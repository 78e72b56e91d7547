// A package that has no types of its own.

declare module "jstat" {
  const jstat: { erf(x: number): number };
  export default jstat;
}
