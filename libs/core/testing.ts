import { appendFileSync } from 'node:fs';

/** Where `npm test` collects why tests are left out; each line a JSON object `{ file, what }`. */
const NOTES = process.env.FOLSOM_LEFT_OUT;
const TEST_FILE = /([^\s()]*\/)([\w.-]+\.(?:test|more)\.ts)/;

/**
 * Whether something that tests need of the machine, or of whoever runs them, is there. Where it is not, the run's summary says so beside the
 * tests that were left out: `describe.skipIf(!needs('root', process.getuid?.() === 0))`.
 *
 * @param what in words that follow "needs"
 */
export function needs(what: string, there: boolean): boolean {
  if (!there && NOTES !== undefined) {
    const where = TEST_FILE.exec(new Error().stack ?? '');
    const file = where === null ? '' : `${where[1]}${where[2]}`.replace(/^file:\/\//, '');
    appendFileSync(NOTES, `${JSON.stringify({ file, what })}\n`);
  }
  return there;
}
