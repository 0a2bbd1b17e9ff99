/** What took its time. */
export interface Spent {
  name: string;
  seconds: number;
}

/** An operation that was tried, by `course: operation`, with what was wrong about it if it failed. */
export interface Tried extends Spent {
  wrong?: string;
}

/** What came of one mixture. */
export interface Outcome {
  mixture: string;
  operations: readonly Tried[];
  /** Programs that were stopped and started for it. */
  exchanged: readonly Spent[];
  /** What did not agree when nobody used the cloud any more. */
  left: readonly string[];
  /** For everything, and what of it went by before and after the use. */
  seconds: { all: number; exchange: number; settle: number };
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
  const [all, exchange, settle] = [seconds.all, seconds.exchange, seconds.settle].map(Math.round);
  return [
    `${isWhole(outcome) ? 'whole ' : 'BROKEN'} ${mixture.padEnd(42)} ${score.padStart(8)}  ${rest}  ${all} s (${exchange} to exchange, ${settle} to settle)`,
    ...operations.flatMap(({ name, wrong }) => (wrong === undefined ? [] : [`       ${name}: ${wrong}`])),
    ...left.map(line => `       afterwards: ${line}`),
  ];
}

/** Where the time of a mixture went: what took longest, the longest first. */
export const slowestLines = ({ operations, exchanged }: Outcome, most: number): string[] =>
  [...operations, ...exchanged]
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, most)
    .map(({ name, seconds }) => `       ${seconds.toFixed(1).padStart(6)} s ${name}`);

/** The last line. */
export function summaryLine(outcomes: readonly Outcome[]): string {
  const whole = outcomes.filter(isWhole).length;
  const sum = (numbers: number[]) => numbers.reduce((total, next) => total + next, 0);
  const operations = sum(outcomes.map(({ operations }) => operations.length));
  return `${whole} of ${outcomes.length} mixtures whole, ${sum(outcomes.map(passedOf))} of ${operations} operations passed`;
}
