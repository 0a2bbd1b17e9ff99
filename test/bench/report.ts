import { NOTES } from './notes.ts';

/** What a benchmark measured of one operation, beside what the machine allows. */
export interface BenchRow {
  name: string;
  rate: number;
  /** Of the rate: operations, or megabytes of a transfer, a second. */
  unit: '/s' | 'MB/s';
  /** Milliseconds; absent for a single transfer. */
  p50?: number;
  p99?: number;
  /** Milliseconds of processor an operation takes, by process. */
  cpu: Readonly<Record<string, number>>;
  /** What was measured for comparison in the same run. */
  limit?: { what: string; rate: number };
}

/** What one benchmark brought. */
export interface BenchResult {
  name: string;
  rows: BenchRow[];
  /** What it printed besides. */
  lines: string[];
  seconds: number;
}

export const sumOf = (cpu: BenchRow['cpu']): number => Object.values(cpu).reduce((sum, ms) => sum + ms, 0);

const HEAD = ['operation', 'rate', 'p50 ms', 'p99 ms', 'CPU ms', 'by process', 'limit', 'ratio'];

function cellsOf(row: BenchRow): string[] {
  const { limit } = row;
  const by = Object.entries(row.cpu).map(([process, ms]) => `${process} ${ms.toFixed(3)}`);
  return [
    row.name,
    `${row.rate.toFixed(row.rate < 100 ? 1 : 0)}${row.unit}`,
    row.p50?.toFixed(2) ?? '',
    row.p99?.toFixed(2) ?? '',
    sumOf(row.cpu).toFixed(3),
    by.length > 1 ? by.join(', ') : '',
    limit ? `${limit.what}: ${limit.rate.toFixed(0)}${row.unit}` : '',
    limit ? (row.rate / limit.rate).toFixed(3) : '',
  ];
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The page that a run of all benchmarks writes. */
export function reportPage(machine: string, revision: string, results: readonly BenchResult[]): string {
  const sections = results.map(({ name, rows, lines, seconds }) => {
    const table =
      rows.length > 0
        ? [line(HEAD), line(HEAD.map(() => '---')), ...rows.map(row => line(cellsOf(row)))]
        : [];
    const text = lines.length > 0 ? ['```', ...lines, '```'] : [];
    const notes = (NOTES[name] ?? []).map(note => `- ${note}`);
    return [
      `## ${name}`,
      '',
      ...table,
      ...(table.length && text.length ? [''] : []),
      ...text,
      ...(notes.length > 0 ? ['', ...notes] : []),
      '',
      `Took ${seconds.toFixed(0)} s.`,
    ].join('\n');
  });
  return `# Performance

Written by \`npm run bench\`: what each operation takes, beside what the machine allows for in the same run. Rates depend on
the machine and on what else it does; the processor's milliseconds of an operation depend on it far less.

Revision ${revision}; ${machine}.

${sections.join('\n\n')}
`;
}
