import { must } from '@folsom/core';
/** Times and booleans as the databases hold them. */

/** `YYYY-MM-DD HH:MM:SS` in UTC, whole seconds, as MySQL's DATETIME keeps them. */
export const toSqlTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

/** Milliseconds since the epoch of a column's value; null for NULL and for what is no time. */
export function fromSqlTime(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.getTime();
  if (typeof value !== 'string') return null;
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

/** 0, 1, NULL, '0', '1', true, false. */
export const fromSqlBool = (value: unknown): boolean =>
  value === true || value === 1 || value === '1' || value === 1n;
