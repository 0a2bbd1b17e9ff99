import { computeMetrics } from '@folsom/compute-agent/metrics';
import type { Clock } from '@folsom/core';
import { createMetrics, httpMetrics } from '@folsom/http';
import { swiftMetrics } from '@folsom/swift';
import { afterEach, expect, it } from 'vitest';
import { diskMetrics } from '../disk-metrics.ts';
import { type MetricsHistory, metricsHistory } from './metrics-history.ts';

let history: MetricsHistory | undefined;
afterEach(() => history?.stop());

it('remembers rates, delays, memory and what is taken, and forgets what is older than an hour', async () => {
  const metrics = createMetrics({ ofProcess: false });
  let now = 0;
  let tick = () => {};
  const clock = {
    now: () => 1_000_000 + now,
    monotonic: () => now,
    every: (_ms: number, run: () => void) => {
      tick = run;
      return { cancel: () => {} };
    },
  } as unknown as Clock;
  const answer = (status: string, times: number, service = 'nova-api') => {
    for (let n = 0; n < times; n++) metrics.observe(httpMetrics.requests, [service, 'x', status], 0.1);
  };
  answer('200', 7);
  const counts = () => history!.view().plots[0]!.lines[0]!.values.length;
  // A sample asks nothing of the world: it is taken before anything else has its turn.
  const taken = () => new Promise(resolve => setImmediate(resolve));
  const next = async () => {
    const before = counts();
    now += 10_000;
    tick();
    await taken();
    expect(counts()).toBe(Math.min(360, before + 1));
  };
  history = metricsHistory(metrics, clock);
  await taken();
  expect([counts(), history.view().until]).toEqual([1, clock.now()]);
  answer('202', 20);
  answer('404', 5);
  answer('200', 100, 'console-web');
  metrics.observe(swiftMetrics.requests, ['proxy-server', 'PUT', '507'], 1);
  metrics.observe(swiftMetrics.requests, ['object-server', 'PUT', '507'], 1);
  metrics.read(computeMetrics.cpus, () => [
    [['a', 'total'], 6],
    [['b', 'total'], 2],
    [['a', 'used'], 4],
  ]);
  metrics.read(diskMetrics.disk, () => [
    [['state', 'size'], 100],
    [['state', 'free'], 25],
  ]);
  await next();
  const lineOf = (plot: string, line: string) =>
    history!
      .view()
      .plots.find(({ name }) => name === plot)!
      .lines.find(({ name }) => name === line)!.values;
  expect(lineOf('requests', '2xx')).toEqual([null, 2]);
  expect(lineOf('requests', '4xx')).toEqual([null, 0.5]);
  expect(lineOf('requests', '5xx')).toEqual([null, 0.1]);
  expect(lineOf('capacity', 'cpus')).toEqual([null, 0.5]);
  expect(lineOf('disk', 'state')).toEqual([null, 0.75]);
  expect(lineOf('memory', 'resident')[1]).toBeGreaterThan(lineOf('memory', 'heap')[1]!);
  for (const name of ['mean', 'p99', 'max']) expect(lineOf('delay', name)[1]).toBeGreaterThanOrEqual(0);
  for (let n = 0; n < 400; n++) await next();
  expect(lineOf('requests', '2xx')).toHaveLength(360);
  expect(lineOf('requests', '2xx')).not.toContain(null);
});

it('tells how long the steps of boots take, and how many failed', () => {
  const metrics = createMetrics({ ofProcess: false });
  const step = (name: string, outcome: string, seconds: number, operation = 'boot') =>
    metrics.observe(computeMetrics.steps, [operation, name, outcome], seconds);
  step('claim', 'ok', 1);
  step('spawn', 'ok', 2);
  step('spawn', 'ok', 4);
  step('spawn', 'failed', 100);
  step('spawn', 'again', 100);
  step('spawn', 'ok', 100, 'rebuild');
  history = metricsHistory(metrics, {
    now: () => 0,
    monotonic: () => 0,
    every: () => ({ cancel: () => {} }),
  } as never);
  expect(history.view().boots).toEqual([
    { step: 'claim', done: 1, failed: 0, seconds: 1 },
    { step: 'spawn', done: 2, failed: 2, seconds: 3 },
  ]);
});
