/**
 * Compares what a program printed with what the walk-through shows: generated values (ids, dates, password hashes, sizes
 * and sums of files) are replaced by marks of the same width, so that every frame and column must still fit.
 */
export function normalise(text: string): string {
  const mark = (letter: string) => (found: string) => letter.repeat(found.length);
  return text
    .replace(/\r/g, '')
    .replace(/\$6\$rounds=40000\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}/g, mark('P'))
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, mark('U'))
    .replace(/\b[0-9a-f]{32}\b/g, mark('H'))
    .replace(/\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}Z?/g, mark('D'))
    .replace(/[ \t]+$/gm, '')
    .trim();
}

/** The same with the rows between the frames of a table sorted: for lists whose order depends on generated ids. */
export function normaliseUnordered(text: string): string {
  const lines = normalise(text).split('\n');
  const frames = lines.flatMap((line, index) => (line.startsWith('+-') ? [index] : []));
  const [, head, end] = frames;
  if (head === undefined || end === undefined) return lines.join('\n');
  return [...lines.slice(0, head + 1), ...lines.slice(head + 1, end).sort(), ...lines.slice(end)].join('\n');
}

/** Rows of a printed table as objects by column title. */
export function rowsOf(text: string): Record<string, string>[] {
  const lines = text.split('\n').filter(line => line.startsWith('|'));
  const cells = (line: string) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map(cell => cell.trim());
  const [head, ...rows] = lines.map(cells);
  return rows.map(row => Object.fromEntries((head ?? []).map((title, index) => [title, row[index] ?? ''])));
}

/** A `Property | Value` table as one object. */
export const propertiesOf = (text: string): Record<string, string> =>
  Object.fromEntries(rowsOf(text).map(row => [row.Property ?? '', row.Value ?? '']));
