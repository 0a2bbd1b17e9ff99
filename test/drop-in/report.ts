/** What came of one mixture. */
export interface Outcome {
  mixture: string;
  /** Operations that were tried, by `course: operation`, with what was wrong about those that failed. */
  operations: readonly { name: string; wrong?: string }[];
  /** What did not agree when nobody used the cloud any more. */
  left: readonly string[];
  seconds: number;
}

const passedOf = ({ operations }: Outcome) => operations.filter(({ wrong }) => wrong === undefined).length;

/** Every operation passed, and nothing was left. */
export const isWhole = (outcome: Outcome): boolean =>
  outcome.operations.length > 0 &&
  passedOf(outcome) === outcome.operations.length &&
  outcome.left.length === 0;

/** One line for a mixture, and one for each thing that was wrong. */
export function outcomeLines(outcome: Outcome): string[] {
  const { mixture, operations, left, seconds } = outcome;
  const score = `${passedOf(outcome)}/${operations.length}`;
  const rest = left.length === 0 ? 'quotas equal, nothing left' : `${left.length} left or unequal`;
  return [
    `${isWhole(outcome) ? 'whole ' : 'BROKEN'} ${mixture.padEnd(42)} ${score.padStart(8)}  ${rest}  ${Math.round(seconds)} s`,
    ...operations.flatMap(({ name, wrong }) => (wrong === undefined ? [] : [`       ${name}: ${wrong}`])),
    ...left.map(line => `       afterwards: ${line}`),
  ];
}

/** The last line. */
export function summaryLine(outcomes: readonly Outcome[]): string {
  const whole = outcomes.filter(isWhole).length;
  const sum = (numbers: number[]) => numbers.reduce((total, next) => total + next, 0);
  const operations = sum(outcomes.map(({ operations }) => operations.length));
  return `${whole} of ${outcomes.length} mixtures whole, ${sum(outcomes.map(passedOf))} of ${operations} operations passed`;
}
