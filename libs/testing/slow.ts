/** Whether everything is tried (`npm run test:slow`) and not only a share of what repeats. */
export const SLOW = process.env.FOLSOM_SLOW === '1';

/**
 * A share of a list that is tried in many places: every third, starting with another item each time, so that each has its turn. All of it
 * in the slow ring.
 */
export function sharing(): <T>(items: readonly T[]) => readonly T[] {
  let turn = 0;
  return items => {
    const start = turn++ % 3;
    return SLOW ? items : items.filter((_, at) => at % 3 === start);
  };
}
