import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../reference/metrics.ts';
import { dashboardExpressions } from './dashboard.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PROMTOOL = '/usr/bin/promtool';

const known = new Set(
  METRICS.flatMap(([, metrics]) =>
    Object.values(metrics).flatMap(({ name, kind }) =>
      kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  ),
);
const namesIn = (text: string): string[] => [...new Set(text.match(/\bfolsom_\w+/g))];

describe('what is declared', () => {
  it('has names with units, and labels that cannot grow without end', () => {
    for (const [, metrics] of METRICS)
      for (const { name, kind, labels, help, buckets } of Object.values(metrics)) {
        expect(name).toMatch(/^folsom_[a-z0-9_]+$/);
        expect([name, help.endsWith('.')]).toEqual([name, true]);
        expect([name, kind === 'counter'], name).toEqual([name, name.endsWith('_total')]);
        if (kind === 'histogram') {
          expect(name).toMatch(/_seconds$/);
          expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
        }
        for (const label of labels)
          expect(label, name).not.toMatch(/path|url|tenant|project|user|_id|uuid|instance|request/);
      }
  });

  it('is declared once', () => {
    const names = METRICS.flatMap(([, metrics]) => Object.values(metrics).map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('alerts and the dashboard', () => {
  it('ask for metrics that are there', () => {
    const asked = namesIn(
      readFileSync(`${HERE}alerts.yml`, 'utf8') +
        dashboardExpressions()
          .map(({ expr }) => expr)
          .join('\n'),
    );
    expect(asked.filter(name => !known.has(name))).toEqual([]);
    expect(asked.length).toBeGreaterThan(30);
  });

  it('leave no metric of ours unseen', () => {
    const text = dashboardExpressions()
      .map(({ expr }) => expr)
      .join('\n');
    const unseen = METRICS.flatMap(([, metrics]) => Object.values(metrics))
      .map(({ name }) => name)
      .filter(name => !text.includes(name));
    expect(unseen).toEqual([]);
  });

  it.skipIf(!needs('promtool', existsSync(PROMTOOL)))(
    'pass promtool, and the alerts their own tests',
    async () => {
      const promtool = (...words: string[]) =>
        run([PROMTOOL, ...words], { cwd: HERE, allowedCodes: [0, 1, 3], timeoutMs: 60_000 });
      for (const words of [
        ['check', 'config', 'prometheus.yml'],
        ['check', 'rules', 'alerts.yml'],
        ['test', 'rules', 'alerts.test.yml'],
      ]) {
        const { code, stdout, stderr } = await promtool(...words);
        expect([code, code === 0 ? '' : stdout + stderr], words.join(' ')).toEqual([0, '']);
      }
    },
  );
});
