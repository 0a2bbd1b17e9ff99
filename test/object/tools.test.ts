import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@folsom/core';
import {
  accountAudit,
  benchOptions,
  type DispersionTools,
  populateDispersion,
  reportDispersion,
  runBench,
  runRecon,
} from '@folsom/object-tools';
import { openRing } from '@folsom/ring';
import { confSection } from '@folsom/swift';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, HASH, startCluster } from '../faults/object/cluster.ts';

const TEMPAUTH = (port: number) => `
[pipeline:main]
pipeline = catch_errors cache tempauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin http://127.0.0.1:${port}/v1/AUTH_test
`;

let cluster: Cluster;
let port = 0;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 });
  // the storage address stands in the conf file: once to get a port, once with it
  const first = await cluster.startProxy();
  port = first.port;
  await first.service.stop();
  ({ port } = await cluster.startProxy(0, TEMPAUTH(port), port));
});
afterAll(() => cluster.stop());

describe('dispersion', () => {
  const lines: string[] = [];
  const errors: string[] = [];
  const tools = (coverage: number): DispersionTools => ({
    options: {
      authUrl: `http://127.0.0.1:${port}/auth/v1.0`,
      user: 'test:tester',
      key: 'testing',
      authVersion: '1.0',
      coverage,
      retries: 0,
      concurrency: 5,
      swiftDir: cluster.swiftDir,
      dumpJson: false,
    },
    rings: {
      container: openRing({ path: join(cluster.swiftDir, 'container.ring.gz'), clock: systemClock }),
      object: openRing({ path: join(cluster.swiftDir, 'object.ring.gz'), clock: systemClock }),
    },
    pathHash: HASH,
    client: cluster.client,
    clock: systemClock,
    random: seededRandom(9),
    print: line => lines.push(line),
    err: line => errors.push(line),
  });

  it('says so when nothing was put there', async () => {
    await reportDispersion(tools(25));
    expect(errors.splice(0)).toEqual([
      'No containers to query. Has swift-dispersion-populate been run?',
      'No objects to query. Has swift-dispersion-populate been run?',
    ]);
  });

  it('finds every copy, and misses those of a server that is down', async () => {
    expect(await populateDispersion(tools(25))).toBe(0);
    expect(lines.splice(0)).toEqual([
      expect.stringMatching(/^Created 16 containers for dispersion reporting, \d+s, 0 retries$/),
      expect.stringMatching(/^Created 16 objects for dispersion reporting, \d+s, 0 retries$/),
    ]);
    await reportDispersion(tools(25));
    const report = lines.splice(0);
    // the container of the objects is one more
    expect(report).toContain('100.00% of container copies found (51 of 51)');
    expect(report).toContain('100.00% of object copies found (48 of 48)');
    expect(report).toContain('Sample represents 25.00% of the object partition space');
    await cluster.stopServer(cluster.nodes[0]!, 'object');
    await reportDispersion(tools(25));
    expect(lines).toContain('There were 16 partitions missing 1 copy.');
    expect(lines).toContain('66.67% of object copies found (32 of 48)');
    await cluster.startServer(cluster.nodes[0]!, 'object');
  });
});

it('swift-recon asks every server of the ring and says who does not answer', async () => {
  const lines: string[] = [];
  const ringFile = join(cluster.swiftDir, 'object.ring.gz');
  await runRecon(['unmounted', 'loadstats', 'diskusage', 'quarantined', 'md5'], {
    kind: 'object',
    ring: openRing({ path: ringFile, clock: systemClock }),
    ringFile,
    zone: 0,
    timeoutMs: 2000,
    verbose: false,
    suppress: false,
    client: cluster.client,
    clock: systemClock,
    print: line => lines.push(line),
  });
  expect(lines[0]).toBe('--> Starting reconnaissance on 3 hosts');
  // these servers have no recon in their pipeline
  expect(
    lines.filter(line => /^-> http:\/\/127\.0\.0\.1:\d+\/recon\/load: HTTP Error 400/.test(line)),
  ).toHaveLength(3);
  expect(lines).toContain('[1m_load_avg] - No hosts returned valid data.');
  expect(lines.at(-2)).toBe('0/3 hosts matched, 3 error[s] while checking hosts.');
});

describe('swift-bench and swift-account-audit', () => {
  const random = seededRandom(11);
  it('bench writes, reads, deletes, and leaves nothing', async () => {
    const lines: string[] = [];
    const conf = confSection({
      auth: `http://127.0.0.1:${port}/auth/v1.0`,
      user: 'test:tester',
      key: 'testing',
      num_objects: '20',
      num_gets: '30',
      num_containers: '2',
      concurrency: '4',
      container_name: 'bench',
    });
    await runBench(benchOptions(conf, random), {
      client: cluster.client,
      clock: systemClock,
      random,
      log: line => lines.push(line),
      stopped: () => false,
    });
    // What it says on the way depends on how long that takes.
    expect(lines.filter(line => !/^\d+ (PUTS|GETS|DEL) \[/.test(line))).toEqual([
      'Auth version: 1.0',
      expect.stringMatching(/^20 PUTS \*\*FINAL\*\* \[0 failures\], [\d.]+\/s$/),
      expect.stringMatching(/^30 GETS \*\*FINAL\*\* \[0 failures\], [\d.]+\/s$/),
      expect.stringMatching(/^20 DEL \*\*FINAL\*\* \[0 failures\], [\d.]+\/s$/),
    ]);
  });

  const audit = async (path: string, deep: boolean) => {
    const lines: string[] = [];
    const bad: string[] = [];
    const ring = (kind: string) =>
      openRing({ path: join(cluster.swiftDir, `${kind}.ring.gz`), clock: systemClock });
    const { audit, printStats } = accountAudit({
      rings: { account: ring('account'), container: ring('container'), object: ring('object') },
      pathHash: HASH,
      client: cluster.client,
      concurrency: 5,
      deep,
      print: line => lines.push(line),
      inconsistent: path => bad.push(path),
    });
    await audit(path);
    printStats();
    return { lines, bad };
  };

  it('the audit names what a replica lacks', async () => {
    const conf = confSection({
      auth: `http://127.0.0.1:${port}/auth/v1.0`,
      user: 'test:tester',
      key: 'testing',
      num_objects: '6',
      num_gets: '0',
      num_containers: '1',
      delete: 'no',
      object_size: '100',
      container_name: 'audited',
    });
    const tools = { client: cluster.client, clock: systemClock, random, log: () => {}, stopped: () => false };
    await runBench(benchOptions(conf, random), tools);
    const well = await audit('AUTH_test/audited_0', true);
    expect(well.bad).toEqual([]);
    expect(well.lines).toContain('   Objects checked: 6');
    // one copy goes away
    const files = (readdirSync(cluster.nodes[0]!.root, { recursive: true }) as string[])
      .filter(name => name.endsWith('.data'))
      .map(name => join(cluster.nodes[0]!.root, name))
      .filter(path => statSync(path).size === 100);
    rmSync(files[0]!);
    expect((await audit('/AUTH_test/audited_0', false)).bad).toHaveLength(1);
    const seen = await audit('AUTH_test', false);
    expect(seen.bad).toHaveLength(1);
    expect(seen.lines.filter(line => line.startsWith('  Bad status HEADing object'))).toHaveLength(1);
    expect(seen.lines).toContain('  Missing Replicas: 1');
  });
});
