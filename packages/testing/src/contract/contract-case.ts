/** One sentence of a port's contract, with the experiment that checks it. Needs no test framework. */

/** A case: give `name` and `run` to whatever runs tests. `run` rejects when the sentence does not hold. */
export interface ContractCase {
  /** The sentence. */
  readonly name: string;
  run(): Promise<void>;
}

/** What a maker gives may bring its own tidying up; it is called after each case, whatever its outcome. */
export interface ContractSubject {
  readonly cleanup?: () => void | Promise<void>;
}

/** Makes a fresh subject for each case, so that cases do not see each other. */
export type MakeSubject<Subject extends ContractSubject> = () => Subject | Promise<Subject>;

/** Turns sentences with experiments into cases over fresh subjects. */
export function contractCases<Subject extends ContractSubject>(
  make: MakeSubject<Subject>,
  experiments: Readonly<Record<string, (subject: Subject) => void | Promise<void>>>,
): readonly ContractCase[] {
  return Object.entries(experiments).map(([name, experiment]) => ({
    name,
    run: async () => {
      const subject = await make();
      try {
        await experiment(subject);
      } finally {
        await subject.cleanup?.();
      }
    },
  }));
}
