import { must } from '@folsom/core';
/** Dates of HTTP headers. */

/** `Thu, 27 Sep 2012 10:00:00 GMT`, whole seconds. */
export const httpDate = (ms: number): string => new Date(Math.floor(ms / 1000) * 1000).toUTCString();

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const RFC_1123 =
  /^(?:\w{3,9},?\s+)?(\d{1,2})[\s-]+(\w{3})[\s-]+(\d{2}|\d{4})\s+(\d{2}):(\d{2})(?::(\d{2}))?\s*(?:(GMT|UTC|Z|UT)|([+-]\d{4}))?$/i;
const ASCTIME = /^\w{3}\s+(\w{3})\s+(\d{1,2})\s+(\d{2}):(\d{2}):(\d{2})\s+(\d{4})$/i;

/** Milliseconds of a date in any of HTTP's three forms; null if it is none. */
export function parseHttpDate(text: string): number | null {
  const line = text.trim();
  const rfc = RFC_1123.exec(line);
  if (rfc) {
    const zone = rfc[8];
    const shift = zone
      ? (zone[0] === '-' ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3)))
      : 0;
    const at = utc(
      must(rfc[3], 'the pattern has group 3'),
      must(rfc[2], 'the pattern has group 2'),
      must(rfc[1], 'the pattern has group 1'),
      must(rfc[4], 'the pattern has group 4'),
      must(rfc[5], 'the pattern has group 5'),
      rfc[6] ?? '0',
    );
    return at === null ? null : at - shift * 60_000;
  }
  const asc = ASCTIME.exec(line);
  return asc
    ? utc(
        must(asc[6], 'the pattern has group 6'),
        must(asc[1], 'the pattern has group 1'),
        must(asc[2], 'the pattern has group 2'),
        must(asc[3], 'the pattern has group 3'),
        must(asc[4], 'the pattern has group 4'),
        must(asc[5], 'the pattern has group 5'),
      )
    : null;
}

function utc(
  year: string,
  month: string,
  day: string,
  hour: string,
  minute: string,
  second: string,
): number | null {
  const index = MONTHS.indexOf(month.toLowerCase());
  if (index < 0) return null;
  const short = Number(year);
  const full = year.length === 2 ? short + (short < 69 ? 2000 : 1900) : short;
  const at = Date.UTC(full, index, Number(day), Number(hour), Number(minute), Number(second));
  return Number.isNaN(at) ? null : at;
}
