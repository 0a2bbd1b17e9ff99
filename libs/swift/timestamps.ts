/** Swift's timestamps: `1347000000.12345`, ten digits, a point, five decimals; compared as strings. */

/** Python's `float()` of a header; null where that would fail or give no finite number. */
export function parseFloatText(text: string | undefined): number | null {
  if (text === undefined) return null;
  const trimmed = text.trim();
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed)) return null;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : null;
}

const NORMAL = /^\d{10}\.\d{5}$/;

/** The normal form of a timestamp given as text or as seconds. The text must have passed {@link parseFloatText}. */
export function normalizeTimestamp(value: string | number): string {
  if (typeof value === 'string') {
    if (NORMAL.test(value)) return value;
    const seconds = parseFloatText(value);
    if (seconds === null) throw new RangeError(`not a timestamp: ${value.slice(0, 64)}`);
    return normalizeTimestamp(seconds);
  }
  return value < 0 ? `-${(-value).toFixed(5).padStart(15, '0')}` : value.toFixed(5).padStart(16, '0');
}

/** The timestamp of a moment in milliseconds (fractions count). */
export const timestampOf = (ms: number): string => normalizeTimestamp(ms / 1000);

/** Milliseconds of a timestamp. */
export const timestampMs = (timestamp: string): number => Number(timestamp) * 1000;
