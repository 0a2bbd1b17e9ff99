import { must } from '@folsom/core';
/** Times and booleans as the databases hold them. */

/** `YYYY-MM-DD HH:MM:SS` in UTC, whole seconds, as MySQL's DATETIME keeps them. */
export const toSqlTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

/** Milliseconds since the epoch of a column's value; null for NULL and for what is no time. */
export function fromSqlTime(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.getTime();
  if (typeof value !== 'string') return null;
  const plain = plainTime(value);
  if (plain !== null) return plain;
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?/.exec(value);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(part => Number(part ?? 0));
  const ms = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const time = Date.UTC(
    must(year, 'year is there'),
    must(month, 'month is there') - 1,
    must(day, 'day is there'),
    hour,
    minute,
    second,
    ms,
  );
  return Number.isNaN(time) ? null : time;
}

/** A time of whole seconds, as nearly all are: lists read thousands. Null for any other text. */
function plainTime(text: string): number | null {
  if (text.length !== 19) return null;
  const digits = (at: number, count: number): number => {
    let value = 0;
    for (let place = at; place < at + count; place++) {
      const digit = text.charCodeAt(place) - ZERO;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    return value;
  };
  const parted = text[4] === '-' && text[7] === '-' && text[13] === ':' && text[16] === ':';
  if (!parted || (text[10] !== ' ' && text[10] !== 'T')) return null;
  const time = Date.UTC(
    digits(0, 4),
    digits(5, 2) - 1,
    digits(8, 2),
    digits(11, 2),
    digits(14, 2),
    digits(17, 2),
  );
  return Number.isNaN(time) ? null : time;
}
const ZERO = 48;

/** 0, 1, NULL, '0', '1', true, false. */
export const fromSqlBool = (value: unknown): boolean =>
  value === true || value === 1 || value === '1' || value === 1n;
