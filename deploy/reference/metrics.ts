import { computeMetrics } from '@folsom/compute-agent/metrics';
import { consoleMetrics } from '@folsom/console/metrics';
import { logMetrics, type Metric } from '@folsom/core';
import { databaseMetrics } from '@folsom/db';
import { httpMetrics } from '@folsom/http';
import { heartbeatMetrics } from '@folsom/nova/service-heartbeat';
import { rpcMetrics } from '@folsom/rpc';
import { schedulerMetrics } from '@folsom/scheduler/metrics';
import { swiftMetrics } from '@folsom/swift';
import { volumeMetrics } from '@folsom/volume/metrics';
import { diskMetrics } from '../disk-metrics.ts';

/** Every metric of ours, by what it is about. */
export const METRICS: readonly (readonly [subject: string, metrics: Readonly<Record<string, Metric>>])[] = [
  ['Requests', httpMetrics],
  ['Messages', rpcMetrics],
  ['Instances', computeMetrics],
  ['Scheduler', schedulerMetrics],
  ['Volumes', volumeMetrics],
  ['Screens of guests', consoleMetrics],
  ['Object storage', swiftMetrics],
  ['Databases', databaseMetrics],
  ['Daemons', { ...heartbeatMetrics, ...logMetrics, ...diskMetrics }],
];

const TOP = `# Metrics

<!-- Written by "npm run docs" from the declarations in the code. -->

\`folsom up\` serves them on port 9100 of the loopback address, path \`/metrics\`, in Prometheus' text form; \`--no-metrics\` does
without. A program of its own does so with \`metrics_port\` (and \`metrics_listen\`) of its configuration or command line; without it
nothing is counted. swift's servers as programs of their own count as the original's do, in StatsD's form, to \`log_statsd_host\` of
their conf files; \`swift-recon\` and \`/recon\` tell of replication, auditing and disks.

\`deploy/monitoring\` has a scrape configuration, alerts and a dashboard for them.

Times are in seconds, sizes in bytes. A histogram \`x\` is told as \`x_bucket\`, \`x_sum\` and \`x_count\`. Labels name operations, steps,
daemons and hosts, never a path, an id or a tenant. \`service\` is the program as Folsom names it.
`;

const BOTTOM = `
## The process

\`process_*\` and \`nodejs_*\` are those of Prometheus' own client: processor time, memory (\`process_resident_memory_bytes\`), open
files, the delay of the event loop (\`nodejs_eventloop_lag_seconds\`, and its quantiles \`nodejs_eventloop_lag_p99_seconds\` …) and
garbage collection.

## Questions

| question | expression |
| --- | --- |
| requests a second | \`sum by (service) (rate(folsom_http_request_seconds_count[5m]))\` |
| share of failures | \`sum(rate(folsom_http_request_seconds_count{status=~"5.."}[5m])) / sum(rate(folsom_http_request_seconds_count[5m]))\` |
| 99 of 100 boots take less than | \`histogram_quantile(0.99, sum by (le) (rate(folsom_compute_operation_seconds_bucket{operation="boot",outcome="ok"}[1h])))\` |
| why boots find no host | \`sum by (filter) (increase(folsom_scheduler_refused_total[1h]))\` |
| messages that wait for the bus | \`sum by (topic) (folsom_outbox_messages)\` |
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** docs/metrics.md */
export function metricsPage(): string {
  const tables = METRICS.map(([subject, metrics]) => {
    const rows = Object.values(metrics).map(
      ({ name, kind, labels, help }) => `| \`${name}\` | ${kind} | ${labels.join(', ')} | ${cell(help)} |`,
    );
    return `\n## ${subject}\n\n| metric | kind | labels | what it tells |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return TOP + tables.join('') + BOTTOM;
}
