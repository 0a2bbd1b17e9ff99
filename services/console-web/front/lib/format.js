import { language, t } from './text.js';

const locale = () => (language.get() === 'zh' ? 'zh-CN' : 'en-GB');
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** @param {number | null | undefined} count bytes */
export function bytes(count) {
  if (count === null || count === undefined) return '–';
  let value = Number(count);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value)} ${UNITS[unit]}`;
}

export const megabytes = count => bytes(count * 1024 * 1024);
export const gigabytes = count => bytes(count * 1024 * 1024 * 1024);
export const number = value => new Intl.NumberFormat(locale()).format(value);

/** Folsom writes times in UTC, some of them without saying so. */
export function parseTime(text) {
  if (!text) return undefined;
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text.replace(' ', 'T')}Z`;
  const at = Date.parse(zoned);
  return Number.isNaN(at) ? undefined : at;
}

export function when(text) {
  const at = typeof text === 'number' ? text : parseTime(text);
  return at === undefined
    ? '–'
    : new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' }).format(at);
}

/** @param {number} at milliseconds since the epoch */
export const timeOfDay = at => new Intl.DateTimeFormat(locale(), { timeStyle: 'medium' }).format(at);

const STEPS = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', 1000],
];

/** How long ago, in words. */
export function ago(text) {
  const at = typeof text === 'number' ? text : parseTime(text);
  if (at === undefined) return '–';
  let value = (Date.now() - at) / 1000;
  if (value < 5) return t('time.now');
  for (const [unit, size] of STEPS) {
    if (value < Number(size))
      return new Intl.RelativeTimeFormat(locale(), { numeric: 'always', style: 'short' }).format(
        -Math.floor(value),
        /** @type {Intl.RelativeTimeFormatUnit} */ (unit),
      );
    value /= Number(size);
  }
  return when(text);
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
