import { readFileSync } from 'node:fs';

interface Dashboard {
  panels: readonly { title: string; targets?: readonly { expr: string }[] }[];
}

/** What the dashboard asks of Prometheus, with Grafana's interval filled in. */
export function dashboardExpressions(interval = '1m'): { title: string; expr: string }[] {
  const file = new URL('dashboard.json', import.meta.url);
  const { panels } = JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr: expr.replaceAll('$__rate_interval', interval) })),
  );
}
