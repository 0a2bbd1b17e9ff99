import type { Random } from '@folsom/core';
import { must } from '@folsom/core';
import type { Deps } from './deps.ts';

/** Characters nobody confuses; every group is in every password. */
const GROUPS = ['23456789', 'ABCDEFGHJKLMNPQRSTUVWXYZ', 'abcdefghijkmnopqrstuvwxyz'] as const;

function generatePassword(random: Random, length: number): string {
  const pick = (symbols: string) => must(symbols[random.int(symbols.length)], 'symbols has it');
  const first = shuffle(random, GROUPS.map(pick)).slice(0, length);
  const all = GROUPS.join('');
  while (first.length < length) first.push(pick(all));
  return shuffle(random, first).join('');
}

function shuffle<T>(random: Random, items: T[]): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = random.int(at + 1);
    [items[at], items[other]] = [must(items[other], 'other is in items'), must(items[at], 'at is in items')];
  }
  return items;
}

/** A password of the length that nova.conf asks for. */
export const newPassword = ({ random, config }: Pick<Deps, 'random' | 'config'>): string =>
  generatePassword(random, config.password_length);

/** `r-` and eight letters or digits. */
export const reservationId = (random: Random): string =>
  `r-${Array.from({ length: 8 }, () => 'abcdefghijklmnopqrstuvwxyz0123456789'[random.int(36)]).join('')}`;
