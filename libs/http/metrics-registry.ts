import type { Counter, Gauge, Histogram, Metric, Metrics, Sample, Values } from '@folsom/core';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** Where the services of a process count, and what Prometheus is told of it. */
export interface MetricsRegistry extends Metrics {
  /** In Prometheus' text form. */
  text(): Promise<string>;
  /** How often, and how much in all, a counter or histogram was told of, apart by some of its labels alone. */
  totals<const L extends readonly string[]>(
    metric: Counter<L> | Histogram<L>,
    by: readonly L[number][],
  ): readonly Total[];
  /** What a gauge says now. */
  look<const L extends readonly string[]>(metric: Gauge<L>): Promise<readonly Sample<L>[]>;
  contentType: string;
}

/** All that was told with the same values of some labels. */
export interface Total {
  values: readonly string[];
  /** Observations of a histogram; 0 for a counter. */
  count: number;
  sum: number;
}

/** More sets of values than this are counted as one: whatever somebody sends, memory does not grow. */
const SERIES_MAX = 5000;
const REST = '(others)';

/** One set of values. */
interface Cell {
  values: readonly string[];
  /** Of a histogram the sum. */
  value: number;
  /** Of a histogram how many were within each bound, and in all. */
  buckets: number[];
  count: number;
}
/** Cells by the values of their labels, one map a label: no key is put together for a lookup. */
type Level = Map<string, Level | Cell>;

interface Told {
  metric: Metric;
  root: Level;
  cells: Cell[];
  /** Of all sets of values beyond the most that are told apart. */
  rest?: Cell;
  readers: Set<() => Iterable<Sample<readonly string[]>> | Promise<Iterable<Sample<readonly string[]>>>>;
}

/** What prom-client writes out. */
interface Exposed {
  name: string;
  help: string;
  type: string;
  aggregator: 'sum';
  values: { metricName?: string; labels: Record<string, string>; value: number }[];
}

/** @param ofProcess also tells of processor, memory, event loop and garbage collection */
export function createMetrics({ ofProcess = true } = {}): MetricsRegistry {
  const registry = new Registry();
  if (ofProcess) collectDefaultMetrics({ register: registry });
  const known = new Map<Metric, Told>();

  const toldOf = (metric: Metric): Told => {
    const found = known.get(metric);
    if (found !== undefined) return found;
    const told: Told = { metric, root: new Map(), cells: [], readers: new Set() };
    known.set(metric, told);
    // A registry asks a metric for its name and what to write, whoever keeps the numbers.
    const exposed = { name: metric.name, get: () => exposedOf(told) };
    registry.registerMetric(exposed as unknown as Parameters<Registry['registerMetric']>[0]);
    if (metric.labels.length === 0 && metric.kind === 'counter') cellOf(told, []);
    return told;
  };

  return {
    declare: metrics => {
      for (const metric of Object.values(metrics)) toldOf(metric);
    },
    add: (metric, values, by = 1) => {
      cellOf(toldOf(metric), values).value += by;
    },
    observe: (metric, values, value) => {
      const cell = cellOf(toldOf(metric), values);
      cell.value += value;
      cell.count += 1;
      const { buckets } = metric;
      // Each counts for itself here, and is summed when somebody looks.
      for (let at = 0; at < buckets.length; at++)
        if (value <= (buckets[at] as number)) {
          cell.buckets[at] = (cell.buckets[at] ?? 0) + 1;
          break;
        }
    },
    read: <L extends readonly string[]>(
      metric: Gauge<L>,
      read: () => Iterable<Sample<L>> | Promise<Iterable<Sample<L>>>,
    ) => {
      const { readers } = toldOf(metric);
      const reader = () => read();
      readers.add(reader);
      return () => readers.delete(reader);
    },
    totals: (metric, by) => totalsOf(toldOf(metric), by),
    look: async <L extends readonly string[]>(metric: Gauge<L>) =>
      (await gaugeSamples(toldOf(metric))) as unknown as Sample<L>[],
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function cellOf(told: Told, values: readonly string[]): Cell {
  let level = told.root;
  const last = values.length - 1;
  for (let at = 0; at < last; at++) {
    const value = values[at] as string;
    let next = level.get(value) as Level | undefined;
    if (next === undefined) {
      if (told.cells.length >= SERIES_MAX) return restOf(told);
      next = new Map();
      level.set(value, next);
    }
    level = next;
  }
  const value = values[last] ?? '';
  const found = level.get(value) as Cell | undefined;
  if (found !== undefined) return found;
  if (told.cells.length >= SERIES_MAX) return restOf(told);
  const cell = newCell(told, [...values]);
  level.set(value, cell);
  return cell;
}

function newCell({ metric, cells }: Told, values: readonly string[]): Cell {
  const cell: Cell = { values, value: 0, buckets: metric.buckets.map(() => 0), count: 0 };
  cells.push(cell);
  return cell;
}

function restOf(told: Told): Cell {
  told.rest ??= newCell(
    told,
    told.metric.labels.map(() => REST),
  );
  return told.rest;
}

async function exposedOf(told: Told): Promise<Exposed> {
  const { name, help, kind } = told.metric;
  const values =
    kind === 'gauge'
      ? await gaugeValues(told)
      : told.cells.flatMap(cell =>
          kind === 'histogram' ? histogramValues(told.metric, cell) : plain(told, cell),
        );
  return { name, help, type: kind, aggregator: 'sum', values };
}

const labelsOf = ({ labels }: Metric, values: Values<readonly string[]>): Record<string, string> =>
  Object.fromEntries(labels.map((label, at) => [label, values[at] ?? '']));

const plain = ({ metric }: Told, cell: Cell) => [
  { labels: labelsOf(metric, cell.values), value: cell.value },
];

function histogramValues(metric: Metric, cell: Cell): Exposed['values'] {
  const { name, buckets } = metric;
  const labels = labelsOf(metric, cell.values);
  let within = 0;
  const bounds = buckets.map((le, at) => {
    within += cell.buckets[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le: String(le), ...labels }, value: within };
  });
  return [
    ...bounds,
    { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: cell.count },
    { metricName: `${name}_sum`, labels, value: cell.value },
    { metricName: `${name}_count`, labels, value: cell.count },
  ];
}

function totalsOf({ metric, cells }: Told, by: readonly string[]): Total[] {
  const places = by.map(label => metric.labels.indexOf(label));
  const totals = new Map<string, Total>();
  for (const cell of cells) {
    const values = places.map(place => cell.values[place] ?? '');
    const key = values.join('\0');
    const total = totals.get(key) ?? { values, count: 0, sum: 0 };
    totals.set(key, { values, count: total.count + cell.count, sum: total.sum + cell.value });
  }
  return [...totals.values()];
}

/** A reader that fails tells nothing; the others are heard. The same values from two of them are added up. */
async function gaugeSamples({ readers }: Told): Promise<Sample<readonly string[]>[]> {
  const sums = new Map<string, [readonly string[], number]>();
  for (const read of readers) {
    const samples = await Promise.resolve()
      .then(read)
      .catch(() => []);
    for (const [values, value] of samples) {
      const key = values.join('\0');
      const sum = sums.get(key);
      if (sum) sum[1] += value;
      else sums.set(key, [values, value]);
    }
  }
  return [...sums.values()];
}

const gaugeValues = async (told: Told): Promise<Exposed['values']> =>
  (await gaugeSamples(told)).map(([values, value]) => ({ labels: labelsOf(told.metric, values), value }));
