/**
 * The last period that was over before a moment: `month`, `day`, `year` or `hour`, with `@n` for another beginning than
 * the first (`month@15`). Times in milliseconds, UTC.
 */
export function lastAuditPeriod(unit: string, before: number): { begin: number; end: number } {
  const [name = 'month', offsetText] = unit.split('@');
  const offset = Number(offsetText ?? 0) || 0;
  const at = new Date(before);
  const [year, month, day, hour] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours()];
  /** The beginning of the n-th period from this one. */
  const start = (n: number): number => {
    switch (name) {
      case 'hour':
        return Date.UTC(year, month, day, hour + n, offset);
      case 'day':
        return Date.UTC(year, month, day + n, offset);
      case 'year':
        return Date.UTC(year + n, Math.max(0, offset - 1));
      default:
        return Date.UTC(year, month + n, offset || 1);
    }
  };
  const last = start(0) > before ? -1 : 0;
  return { begin: start(last - 1), end: start(last) };
}
