import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock } from '@folsom/core';
import type { Ring } from '@folsom/ring';
import { type InternalClient, internalText } from '@folsom/swift-http';

export interface ReconToolOptions {
  kind: 'account' | 'container' | 'object';
  ring: Ring;
  ringFile: string;
  zone: number;
  timeoutMs: number;
  verbose: boolean;
  suppress: boolean;
  client: InternalClient;
  clock: Clock;
  print(line: string): void;
}

export type ReconCheck =
  | 'async'
  | 'replication'
  | 'auditor'
  | 'updater'
  | 'expirer'
  | 'unmounted'
  | 'loadstats'
  | 'diskusage'
  | 'md5'
  | 'quarantined'
  | 'sockstat';

type Values = Record<string, unknown>;
type Answers = { url: string; host: string; content: unknown }[];

const RULE = '='.repeat(79);

/** swift-recon: asks the servers of a ring how they are, and prints what they say. */
export async function runRecon(checks: readonly ReconCheck[], options: ReconToolOptions): Promise<void> {
  const { print } = options;
  const hosts = hostsOf(options);
  print(`--> Starting reconnaissance on ${hosts.length} hosts`);
  print(RULE);
  for (const check of checks) await CHECKS[check](options, hosts);
}

interface Host {
  ip: string;
  port: number;
}

function hostsOf({ ring, zone }: ReconToolOptions): Host[] {
  const hosts = new Map<string, Host>();
  for (const device of ring.devices) {
    if (!device || (zone > 0 && device.zone !== zone)) continue;
    hosts.set(`${device.ip}:${device.port}`, { ip: device.ip, port: device.port });
  }
  return [...hosts.values()];
}

/** Asks all hosts the same; those that do not answer are named and left out. */
async function scout(options: ReconToolOptions, hosts: readonly Host[], what: string): Promise<Answers> {
  const { client, timeoutMs, print, verbose, suppress } = options;
  const all = await Promise.all(
    hosts.map(async host => {
      const name = `${host.ip}:${host.port}`;
      const url = `http://${name}/recon/${what}`;
      const failed = (why: string) => {
        if (!suppress || verbose) print(`-> ${url}: ${why}`);
        return null;
      };
      try {
        const response = await client.request(host, {
          method: 'GET',
          path: `/recon/${what}`,
          headers: [],
          connectTimeoutMs: timeoutMs,
          timeoutMs,
        });
        const body = await internalText(response);
        if (response.status !== 200) return failed(`HTTP Error ${response.status}: ${response.reason}`);
        const content: unknown = JSON.parse(body.toString('utf8'));
        if (verbose) print(`-> ${url}: ${JSON.stringify(content)}`);
        return { url, host: name, content };
      } catch (error) {
        return failed(`<urlopen error ${(error as Error).message}>`);
      }
    }),
  );
  return all.filter(answer => answer !== null);
}

const now = ({ clock }: ReconToolOptions): string => shownTime(clock.now() / 1000);

function shownTime(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** One line of statistics over what the hosts said; those that said nothing count as failed. */
function printStats({ print }: ReconToolOptions, name: string, values: readonly unknown[], none = name) {
  const numbers = values.filter(value => typeof value === 'number');
  if (numbers.length === 0) return print(`[${none}] - No hosts returned valid data.`);
  const total = numbers.reduce((sum, value) => sum + value, 0);
  const missing = values.length - numbers.length;
  print(
    `[${name}] low: ${Math.trunc(Math.min(...numbers))}, high: ${Math.trunc(Math.max(...numbers))}, ` +
      `avg: ${(total / numbers.length).toFixed(1)}, total: ${Math.trunc(total)}, ` +
      `Failed: ${((missing * 100) / values.length).toFixed(1)}%, no_result: ${missing}, reported: ${numbers.length}`,
  );
}

const field = (answers: Answers, key: string): unknown[] =>
  answers.map(({ content }) => (content as Values)[key] ?? null);

type CheckRun = (options: ReconToolOptions, hosts: readonly Host[]) => Promise<void>;

/** A check that is one title, one question and some lines. */
const simple =
  (
    title: string,
    what: (kind: string) => string,
    lines: (options: ReconToolOptions, answers: Answers) => void,
  ): CheckRun =>
  async (options, hosts) => {
    options.print(`[${now(options)}] ${title.replace('%d', String(hosts.length))}`);
    lines(options, await scout(options, hosts, what(options.kind)));
    options.print(RULE);
  };

const CHECKS: Readonly<Record<ReconCheck, CheckRun>> = {
  async: simple(
    'Checking async pendings',
    () => 'async',
    (options, answers) => printStats(options, 'async_pending', field(answers, 'async_pending')),
  ),

  replication: simple(
    'Checking on replication',
    kind => (kind === 'object' ? 'replication' : `replication/${kind}`),
    (options, answers) => {
      if (options.kind === 'object') {
        return printStats(options, 'replication_time', field(answers, 'object_replication_time'));
      }
      const stats = field(answers, 'replication_stats').filter(item => item !== null) as Values[];
      for (const key of ['failure', 'success', 'attempted']) {
        printStats(
          options,
          `replication_${key}`,
          stats.map(item => item[key] ?? null),
          key,
        );
      }
      printStats(options, 'replication_time', field(answers, 'replication_time'));
    },
  ),

  auditor: simple(
    'Checking auditor stats',
    kind => `auditor/${kind}`,
    (options, answers) => {
      if (options.kind === 'object') return objectAuditor(options, answers);
      const { kind, print } = options;
      if (answers.length === 0) return print('Error: No hosts available');
      for (const key of [
        `${kind}_audits_failed`,
        `${kind}_audits_passed`,
        `${kind}_auditor_pass_completed`,
      ]) {
        printStats(
          options,
          key,
          field(answers, key).filter(value => value !== null),
        );
      }
      const since = field(answers, `${kind}_audits_since`)
        .map(Number)
        .filter(value => value > 0);
      if (since.length === 0) return print(`[${kind}_audits_since] - No hosts returned valid data.`);
      const average = since.reduce((sum, value) => sum + value, 0) / since.length;
      print(
        `[last_pass] oldest: ${shownTime(Math.min(...since))}, newest: ${shownTime(Math.max(...since))}, avg: ${shownTime(average)}`,
      );
    },
  ),

  updater: simple(
    'Checking updater times',
    kind => `updater/${kind}`,
    (options, answers) =>
      printStats(
        options,
        'updater_last_sweep',
        field(answers, `${options.kind}_updater_sweep`).filter(Boolean),
      ),
  ),

  expirer: simple(
    'Checking on expirers',
    kind => `expirer/${kind}`,
    (options, answers) => {
      for (const key of ['object_expiration_pass', 'expired_last_pass'])
        printStats(options, key, field(answers, key));
    },
  ),

  unmounted: simple(
    'Getting unmounted drives from %d hosts...',
    () => 'unmounted',
    ({ print }, answers) => {
      for (const { host, content } of answers) {
        for (const { device } of content as { device: string }[]) print(`Not mounted: ${device} on ${host}`);
      }
    },
  ),

  loadstats: simple(
    'Checking load averages',
    () => 'load',
    (options, answers) => {
      for (const key of ['5m', '15m', '1m']) printStats(options, `${key}_load_avg`, field(answers, key));
    },
  ),

  diskusage: simple('Checking disk usage now', () => 'diskusage', diskUsage),

  quarantined: simple(
    'Checking quarantine',
    () => 'quarantined',
    (options, answers) => {
      for (const key of ['objects', 'accounts', 'containers']) {
        printStats(options, `quarantined_${key}`, field(answers, key));
      }
    },
  ),

  sockstat: simple(
    'Checking socket usage',
    () => 'sockstat',
    (options, answers) => {
      for (const key of ['orphan', 'tcp_in_use', 'tcp6_in_use', 'time_wait', 'tcp_mem_allocated_bytes']) {
        printStats(options, key, field(answers, key));
      }
    },
  ),

  md5: async (options, hosts) => {
    const { ringFile, print, verbose } = options;
    const own = createHash('md5').update(readFileSync(ringFile)).digest('hex');
    print(`[${now(options)}] Checking ring md5sums`);
    if (verbose) print(`-> On disk ${ringFile} md5sum: ${own}`);
    const answers = await scout(options, hosts, 'ringmd5');
    let matches = 0;
    for (const { url, content } of answers) {
      const theirs = (content as Values)[ringFile];
      if (theirs === own) {
        matches++;
        if (verbose) print(`-> ${url} matches.`);
      } else {
        print(`!! ${url} (${theirs ?? 'no such ring'}) doesn't match on disk md5sum`);
      }
    }
    print(
      `${matches}/${hosts.length} hosts matched, ${hosts.length - answers.length} error[s] while checking hosts.`,
    );
    print(RULE);
  },
};

function objectAuditor(options: ReconToolOptions, answers: Answers): void {
  for (const kind of ['ALL', 'ZBF']) {
    const found = field(answers, `object_auditor_stats_${kind}`).filter(item => item !== null) as Values[];
    if (found.length === 0) {
      options.print(`[${kind}_auditor] - No hosts returned valid data.`);
      continue;
    }
    const keys = [
      'audit_time',
      'bytes_processed',
      ...(kind === 'ALL' ? ['passes'] : []),
      'errors',
      'quarantined',
    ];
    for (const key of keys)
      printStats(
        options,
        `${kind}_${key}_last_path`,
        found.map(item => item[key] ?? null),
      );
  }
}

const GRAPH_WIDTH = 69;

function diskUsage({ print }: ReconToolOptions, answers: Answers) {
  let used = 0;
  let free = 0;
  const percents: number[] = [];
  for (const { url, content } of answers) {
    const mounted = (content as { mounted: boolean; size: number; used: number; avail: number }[]).filter(
      entry => entry.mounted,
    );
    if (mounted.length === 0) print(`-> ${url}: Error. No drive info available.`);
    for (const entry of mounted) {
      used += entry.used;
      free += entry.avail;
      percents.push(Math.round((entry.used / entry.size) * 10_000) / 100);
    }
  }
  if (percents.length === 0) return print('No hosts returned valid data.');
  const graph = new Map<number, number>();
  for (const percent of percents) graph.set(Math.trunc(percent), (graph.get(Math.trunc(percent)) ?? 0) + 1);
  print('Distribution Graph:');
  const scale = GRAPH_WIDTH / Math.max(...graph.values());
  for (const [percent, count] of [...graph].sort(([a], [b]) => a - b)) {
    print(
      `${String(percent).padStart(3)}%${String(count).padStart(5)} ${'*'.repeat(Math.trunc(count * scale))}`,
    );
  }
  const total = used + free;
  print(`Disk usage: space used: ${used} of ${total}`);
  print(`Disk usage: space free: ${free} of ${total}`);
  print(
    `Disk usage: lowest: ${Math.min(...percents)}%, highest: ${Math.max(...percents)}%, avg: ${(100 * used) / total}%`,
  );
}
