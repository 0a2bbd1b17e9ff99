import type { Random } from '@folsom/core';
import type { FaultKind } from './faults.ts';

/**
 * Faults as the seed draws them, one or two at once: they are in a bag, and none comes again before the bag is empty. So a
 * run of as many rounds as there are kinds has had each of them, by no luck.
 *
 * @param first names of those that are in the bag at the beginning, where these are not all
 * @param pairs always two at once, as long as there are two
 */
export function* rounds(
  kinds: readonly FaultKind[],
  random: Random,
  first: ReadonlySet<string> = new Set(),
  pairs = false,
): Generator<readonly FaultKind[], undefined> {
  let bag = kinds.filter(({ name }) => first.has(name));
  const draw = (fits: (kind: FaultKind) => boolean): FaultKind | undefined => {
    const left = bag.filter(fits);
    const kind = left[random.int(Math.max(left.length, 1))];
    bag = bag.filter(one => one !== kind);
    return kind;
  };
  while (kinds.length > 0) {
    if (bag.length === 0) bag = [...kinds];
    const one = draw(() => true)!;
    // Often two at once, but never two that take the same thing away and give it back.
    const alone = random.int(2) === 0 && !pairs;
    const other = alone ? undefined : draw(kind => kind.thing !== one.thing);
    yield other === undefined ? [one] : [one, other];
  }
}
