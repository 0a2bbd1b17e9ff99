/** Text to typed values. Every function returns undefined for text that is not of its type. */

const TRUE = new Set(['1', 'yes', 'true', 'on']);
const FALSE = new Set(['0', 'no', 'false', 'off']);

/**
 * The booleans of configuration files. Strict: anything else is refused instead of counting as true, because
 * `insecure = False` must never switch verification off.
 */
export function parseBool(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (TRUE.has(word)) return true;
  return FALSE.has(word) ? false : undefined;
}

export function parseInteger(text: string): number | undefined {
  const digits = text.trim();
  if (!/^[+-]?\d{1,16}$/.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : undefined;
}

export function parseFloating(text: string): number | undefined {
  const digits = text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits) ? Number(digits) : undefined;
}

/** Comma separated; blanks around items are dropped, an empty text is an empty list. */
export const parseList = (text: string): string[] =>
  text.trim() === '' ? [] : text.split(',').map(item => item.trim());
