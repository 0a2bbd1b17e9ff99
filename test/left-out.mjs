// Which tests of a run were left out, and why: the report of vitest, and the notes of `needs` (`@folsom/core/testing`).
import { existsSync, readFileSync } from 'node:fs';

const NO_WORD = 'no reason given';

/**
 * @param {{ name: string, assertionResults: { status: string, failureMessages?: string[] }[] }[]} results of vitest's JSON reporter
 * @param {string} notes file with a line `{ file, what }` for everything that was not there
 * @returns {{ files: { file: string, count: number, why: string }[], silent: number, summary: string }} `silent` counts those without
 *   a reason; `summary` goes behind the numbers of the last line
 */
export function leftOut(results, notes) {
  const reasons = new Map();
  const lines = existsSync(notes) ? readFileSync(notes, 'utf8').split('\n') : [];
  for (const line of lines.filter(text => text !== '')) {
    const { file, what } = JSON.parse(line);
    reasons.set(file, (reasons.get(file) ?? new Set()).add(`needs ${what}`));
  }
  const files = [];
  const counts = new Map();
  for (const { name: file, assertionResults } of results) {
    const count = assertionResults.filter(({ status }) =>
      ['pending', 'skipped', 'todo'].includes(status),
    ).length;
    if (count === 0) continue;
    const why = [...(reasons.get(file) ?? [NO_WORD])].join(', ');
    files.push({ file, count, why });
    counts.set(why, (counts.get(why) ?? 0) + count);
  }
  const silent = counts.get(NO_WORD) ?? 0;
  const skipped = files.reduce((sum, { count }) => sum + count, 0);
  const shares = [...counts].map(([why, count]) => `${count} ${why}`).join('; ');
  return { files, silent, summary: skipped > 0 ? `, ${skipped} skipped (${shares})` : '' };
}
