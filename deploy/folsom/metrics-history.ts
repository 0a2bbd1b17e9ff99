import { monitorEventLoopDelay } from 'node:perf_hooks';
import { computeMetrics } from '@folsom/compute-agent/metrics';
import type { BootStep, MetricsView, Plot } from '@folsom/console-web';
import type { Clock, Gauge } from '@folsom/core';
import { httpMetrics, type MetricsRegistry } from '@folsom/http';
import { swiftMetrics } from '@folsom/swift';
import { diskMetrics } from '../disk-metrics.ts';

const EVERY_MS = 10_000;
/** An hour. */
const KEPT = 360;
/** How exactly the event loop is watched. */
const RESOLUTION_MS = 20;
/** What they are asked was asked of another before, and is counted there. */
const INNER = new Set(['console-web', 'account-server', 'container-server', 'object-server']);
const CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const;

/** What is noted each time: a number by the line of a plot, undefined where there is none. */
type Sample = Readonly<Record<string, number | undefined>>;

export interface MetricsHistory {
  view(): MetricsView;
  stop(): void;
}

/** Remembers the last hour of what the console's plots show. Whoever wants more has Prometheus. */
export function metricsHistory(metrics: MetricsRegistry, clock: Clock): MetricsHistory {
  const samples: { at: number; sample: Sample }[] = [];
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let before: { at: number; answered: ReadonlyMap<string, number> } | undefined;

  const take = async () => {
    const at = clock.monotonic();
    const answered = answers(metrics);
    const rates: Record<string, number | undefined> = {};
    for (const kind of CLASSES) {
      const more = (answered.get(kind) ?? 0) - (before?.answered.get(kind) ?? 0);
      rates[`requests ${kind}`] = before && at > before.at ? (more * 1000) / (at - before.at) : undefined;
    }
    before = { at, answered };
    const { rss, heapUsed } = process.memoryUsage();
    // What a timer measures has the timer's own pause in it.
    const late = (ns: number) => (Number.isFinite(ns) ? Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000) : 0);
    const sample: Sample = {
      ...rates,
      'delay mean': late(delay.mean),
      'delay p99': late(delay.percentile(99)),
      'delay max': late(delay.max),
      'memory resident': rss,
      'memory heap': heapUsed,
      ...(await shares(metrics)),
    };
    delay.reset();
    samples.push({ at: clock.now(), sample });
    if (samples.length > KEPT) samples.shift();
  };
  const takeOne = () => void take().catch(() => {});
  takeOne();
  const timer = clock.every(EVERY_MS, takeOne);
  return {
    view: () => ({
      everyMs: EVERY_MS,
      until: samples.at(-1)?.at ?? clock.now(),
      plots: PLOTS.map(plot => ({
        ...plot,
        lines: plot.lines.map(name => ({
          name,
          values: samples.map(({ sample }) => shortened(sample[`${plot.name} ${name}`])),
        })),
      })),
      boots: bootSteps(metrics),
    }),
    stop: () => {
      timer.cancel();
      delay.disable();
    },
  };
}

/** As exactly as anybody sees it in a plot. */
const shortened = (value: number | undefined): number | null =>
  value === undefined ? null : Number(value.toPrecision(4));

const PLOTS: readonly (Omit<Plot, 'lines'> & { lines: readonly string[] })[] = [
  { name: 'requests', unit: 'perSecond', lines: CLASSES },
  { name: 'delay', unit: 'seconds', lines: ['mean', 'p99', 'max'] },
  { name: 'memory', unit: 'bytes', lines: ['resident', 'heap'] },
  { name: 'capacity', unit: 'share', lines: ['cpus', 'memory', 'disk'] },
  { name: 'disk', unit: 'share', lines: ['state'] },
];

/** Answers since the start by the class of their status, those of object storage among them. */
function answers(metrics: MetricsRegistry): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { values, count } of [
    ...metrics.totals(httpMetrics.requests, ['service', 'status']),
    ...metrics.totals(swiftMetrics.requests, ['server', 'status']),
  ]) {
    const [service = '', status = ''] = values;
    if (INNER.has(service)) continue;
    const kind = `${status.slice(0, 1)}xx`;
    sums.set(kind, (sums.get(kind) ?? 0) + count);
  }
  return sums;
}

/** How much is taken: of what hosts can promise, and of the disk that the cloud writes to. */
async function shares(metrics: MetricsRegistry): Promise<Sample> {
  const promised = async (gauge: Gauge<readonly ['host', 'state']>) => {
    const of = { used: 0, total: 0 };
    for (const [[, state], value] of await metrics.look(gauge)) of[state as 'used' | 'total'] += value;
    return of.total > 0 ? of.used / of.total : undefined;
  };
  const disk = new Map(
    (await metrics.look(diskMetrics.disk)).map(([values, value]) => [values.join(), value]),
  );
  const [size, free] = [disk.get('state,size') ?? 0, disk.get('state,free') ?? 0];
  return {
    'capacity cpus': await promised(computeMetrics.cpus),
    'capacity memory': await promised(computeMetrics.memory),
    'capacity disk': await promised(computeMetrics.disk),
    'disk state': size > 0 ? 1 - free / size : undefined,
  };
}

/** The steps of a boot, in the order in which they were first done. */
function bootSteps(metrics: MetricsRegistry): BootStep[] {
  const steps = new Map<string, BootStep>();
  for (const { values, count, sum } of metrics.totals(computeMetrics.steps, [
    'operation',
    'step',
    'outcome',
  ])) {
    const [operation, step = '', outcome] = values;
    if (operation !== 'boot') continue;
    const known = steps.get(step) ?? { step, done: 0, failed: 0, seconds: null };
    steps.set(
      step,
      outcome === 'ok'
        ? { ...known, done: count, seconds: count > 0 ? sum / count : null }
        : { ...known, failed: known.failed + count },
    );
  }
  return [...steps.values()];
}
