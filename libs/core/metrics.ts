/** What a service counts and measures. Names and labels are declared once; values are given by place. */
export interface Metric<L extends readonly string[] = readonly string[]> {
  kind: 'counter' | 'gauge' | 'histogram';
  /** As Prometheus has it: with its unit, in seconds and bytes; counters end in `_total`. */
  name: string;
  help: string;
  /** Each of few values: names of operations, never paths, ids or tenants. */
  labels: L;
  /** Upper bounds of a histogram. */
  buckets: readonly number[];
}

export interface Counter<L extends readonly string[]> extends Metric<L> {
  kind: 'counter';
}
export interface Gauge<L extends readonly string[]> extends Metric<L> {
  kind: 'gauge';
}
export interface Histogram<L extends readonly string[]> extends Metric<L> {
  kind: 'histogram';
}

/** A value for each label, in their order. */
export type Values<L extends readonly string[]> = { readonly [K in keyof L]: string };
export type Sample<L extends readonly string[]> = readonly [values: Values<L>, value: number];

/** Where services count. A call costs some hundred nanoseconds, and never fails. */
export interface Metrics {
  /** Names metrics before there is anything to tell of them. */
  declare(metrics: Readonly<Record<string, Metric>>): void;
  add<const L extends readonly string[]>(metric: Counter<L>, values: Values<L>, by?: number): void;
  observe<const L extends readonly string[]>(metric: Histogram<L>, values: Values<L>, value: number): void;
  /** Asked whenever somebody looks; several may tell of one gauge. Gives back what ends it. */
  read<const L extends readonly string[]>(
    metric: Gauge<L>,
    read: () => Iterable<Sample<L>> | Promise<Iterable<Sample<L>>>,
  ): () => void;
}

/** Of code that is given none. */
export const NO_METRICS: Metrics = {
  declare: () => {},
  add: () => {},
  observe: () => {},
  read: () => () => {},
};

export const metricsOf = (world: { metrics?: Metrics }): Metrics => world.metrics ?? NO_METRICS;

export const counter = <const L extends readonly string[]>(
  name: string,
  help: string,
  labels: L,
): Counter<L> => ({ kind: 'counter', name, help, labels, buckets: [] });

export const gauge = <const L extends readonly string[]>(
  name: string,
  help: string,
  labels: L,
): Gauge<L> => ({
  kind: 'gauge',
  name,
  help,
  labels,
  buckets: [],
});

export const histogram = <const L extends readonly string[]>(
  name: string,
  help: string,
  labels: L,
  buckets: readonly number[] = REQUEST_SECONDS,
): Histogram<L> => ({ kind: 'histogram', name, help, labels, buckets });

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** For work of the kind that a user waits for. */
export const WORK_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
