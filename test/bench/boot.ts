import { mkdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@folsom/core';
import { buildGuestImage } from '@folsom/deploy/guest-image/build';
import { run } from '@folsom/host';
import { canMakeNamespaces, hostNamespace, startProgram, tempDir } from '@folsom/testing';
import { profileOthers } from './profile.ts';
import type { BenchRow } from './report.ts';
import type { Bench, BenchTools } from './run.ts';

const OFFSET = 24_000;
const HOST_IP = '192.0.2.10';
const BURST = fileURLToPath(new URL('./boot/burst.ts', import.meta.url));
/** Boots of one tenant at the same moment; room for all of them and for their addresses. */
const BURSTS = [300];
const ROOM = [
  ...['quota_instances=100000', 'quota_cores=100000', 'quota_ram=100000000', 'network_size=4096'],
  'api_rate_limit=False',
].flatMap(setting => ['--set', `nova.${setting}`]);
const MEASURE = fileURLToPath(new URL('./boot/measure.ts', import.meta.url));
const GUEST_IMAGE = fileURLToPath(new URL('../../.cache/guest-image', import.meta.url));
const PROFILER = fileURLToPath(new URL('./profile.ts', import.meta.url));
const MEASURE_MS = 600_000;
/** Begins a line of a measuring program that is a row of the report. */
const ROW = 'row ';

/**
 * From POST servers to ACTIVE to the first ssh login, over the whole cloud as `folsom up` runs it: with the fake hypervisor,
 * one by one and many of one tenant at once while another tenant looks at its servers,
 * and with real guests beside the very same guests started by bare virsh in the same run.
 */
export const bench: Bench = async (print, parts, tools) => {
  const unknown = parts.find(part => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`boot has no part ${unknown}; it has ${PARTS.join(', ')}`);
  const has = (part: string): boolean => parts.length === 0 || parts.includes(part);
  if (has('one')) await withCloud([], tools, async dir => print(await measure([], 'fake', dir)));
  if (has('burst')) await bursts(print, tools);
  if (!has('guests')) return;
  if (!canMakeNamespaces()) return print('real guests need root: fake hypervisor only');
  await real(print);
};
const PARTS = ['one', 'burst', 'guests'];

async function bursts(print: (line: string) => void, tools: BenchTools): Promise<void> {
  for (const count of BURSTS) {
    await withCloud(['--fixed-range', '10.91.0.0/20', ...ROOM], tools, async (dir, pid, profiles) => {
      const profile = profiles === null ? null : profileOthers(profiles, { cloud: [pid] });
      const argv = [process.execPath, BURST, dir, String(pid), String(count)];
      const { stdout } = await run(argv, { timeoutMs: MEASURE_MS });
      for (const line of stdout.trimEnd().split('\n')) {
        if (line.startsWith(ROW)) tools.row(JSON.parse(line.slice(ROW.length)) as BenchRow);
        else print(line);
      }
      for (const line of (await profile?.()) ?? []) print(line);
    });
  }
}

/** A cloud with the fake hypervisor, for as long as `use` takes; with the folder of its profiles, where they are asked for. */
async function withCloud(
  options: readonly string[],
  { profile }: BenchTools,
  use: (dir: string, pid: number, profiles: string | null) => Promise<void>,
): Promise<void> {
  const place = tempDir('bench-boot');
  const profiles = profile ? join(place.path, 'profiles') : null;
  if (profiles !== null) mkdirSync(profiles);
  const dir = join(place.path, 'var');
  const words = ['up', '--state-dir', dir, '--ports-offset', String(OFFSET), '--compute-driver', 'fake'];
  try {
    const cloud = await startProgram('folsom', [...words, ...options], {
      logFile: join(place.path, 'log'),
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 120_000,
      ...(profiles === null
        ? {}
        : { env: { BENCH_PROFILES: profiles, NODE_OPTIONS: `--import ${PROFILER}` } }),
    });
    try {
      await use(dir, cloud.pid, profiles);
    } finally {
      await cloud.stop();
    }
  } finally {
    place.remove();
  }
}

async function real(print: (line: string) => void): Promise<void> {
  const place = tempDir('bench-boot');
  const dir = join(place.path, 'var');
  const host = await hostNamespace(`bb${process.pid % 100_000}`, [`${HOST_IP}/24`]);
  try {
    await mkdir(GUEST_IMAGE, { recursive: true });
    await buildGuestImage({ directory: GUEST_IMAGE, log: silentLogger });
    // A host without a way out cannot download packages: it gets an image built before.
    await mkdir(dir);
    await run(['cp', '-a', GUEST_IMAGE, join(dir, 'guest-image')], { timeoutMs: 30_000 });
    const cloud = await startProgram('folsom', ['up', '--state-dir', dir, '--compute-driver', 'libvirt'], {
      logFile: join(place.path, 'log'),
      enter: host.enter,
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 120_000,
    });
    try {
      print(await measure(host.enter, 'libvirt', dir));
    } finally {
      await cloud.stop();
    }
  } finally {
    await host.remove();
    place.remove();
  }
}

/** The measuring runs where the cloud is, which may be in a namespace. */
async function measure(enter: readonly string[], driver: string, dir: string): Promise<string> {
  const done = await run([...enter, process.execPath, MEASURE, driver, dir], { timeoutMs: MEASURE_MS });
  return done.stdout.trimEnd();
}
