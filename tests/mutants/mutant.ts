// A fault that an engineer might leave behind, and the tests that have to notice it.

export interface Mutant {
  /** What is wrong. */
  readonly name: string;
  /** Where, from the project's root. */
  readonly file: string;
  /** The text that is right: once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Test files of which one has to turn red; those of tests/assembly are compiled with the fault. */
  readonly tests: readonly string[];
  /** Of the tests, those whose names match: for files that take long. */
  readonly only?: string | undefined;
}
