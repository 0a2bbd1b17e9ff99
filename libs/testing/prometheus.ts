import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackground } from '@folsom/host/background';
import { freePort } from './places.ts';
import { requireProgram, untilUp } from './servers.ts';

/** What an expression gave: one value for each set of labels. */
export type QueryResult = { metric: Record<string, string>; value: [time: number, value: string] }[];

export interface Prometheus {
  /** Rejects with Prometheus' own words for an expression that is none. */
  query(expression: string): Promise<QueryResult>;
  stop(): Promise<void>;
}

/** A Prometheus that looks at one address every two seconds; resolves when it has seen it three times. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const program = requireProgram('prometheus');
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'folsom-prometheus-'));
  writeFileSync(
    join(dir, 'prometheus.yml'),
    `global: { scrape_interval: 2s }\nscrape_configs:\n- job_name: folsom\n  static_configs: [{ targets: ['${target}'] }]\n`,
  );
  const url = `http://127.0.0.1:${port}`;
  const server = await startBackground(
    [
      program,
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { dieWithParent: true },
  );
  const stop = async () => {
    await server.stop(10_000);
    rmSync(dir, { recursive: true, force: true });
  };
  const query = async (expression: string): Promise<QueryResult> => {
    const response = await fetch(`${url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expression }),
    });
    const answer = (await response.json()) as { error?: string; data: { result: QueryResult } };
    if (!response.ok) throw new Error(`${expression}: ${answer.error}`);
    return answer.data.result;
  };
  try {
    const ready = async () => {
      if (!(await fetch(`${url}/-/ready`)).ok) throw new Error('not ready');
    };
    const seen = async () => {
      const [looks] = await query('sum(sum_over_time(up[1m]))');
      if (Number(looks?.value[1] ?? 0) < 3) throw new Error('has not seen its target yet');
    };
    await untilUp(server, ready, { timeoutMs: 60_000, log: () => '' });
    await untilUp(server, seen, { timeoutMs: 60_000, log: () => '' });
  } catch (error) {
    await stop();
    throw error;
  }
  return { query, stop };
}
