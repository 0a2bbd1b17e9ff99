import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProgram, tempDir } from '@folsom/testing';
import { cannotRun } from '../libvirt/host-under-test.ts';
import { ownCloud } from '../libvirt/own-cloud.ts';
import { PORT_OFFSETS } from '../port-offsets.ts';
import { type Client, login, median } from './boot/client.ts';
import type { BenchRow } from './report.ts';
import type { Bench, BenchTools } from './run.ts';

const OFFSET = PORT_OFFSETS.benchVolume;
/** A user may POST ten times a minute: the limit is off here. */
const ROUNDS = 30;
const LIMIT_MS = 60_000;

/** Without the limits on requests: see {@link ROUNDS}. */
const UNLIMITED = ['--set', 'nova.api_rate_limit=False'];
const OUTSIDE = '192.0.2.30';

/**
 * From POST volumes to available, and from the attachment to in-use: `fake` over the whole cloud with the fake hypervisor and files, `guest`
 * with a real one, until it sees the volume, and what goes through that.
 */
export const bench: Bench = async (print, parts, tools) => {
  const wanted = (part: string) => parts.length === 0 || parts.includes(part);
  if (wanted('fake')) await withFake(print);
  if (wanted('guest') && cannotRun() === undefined) await withGuest(print, tools);
};

async function withGuest(print: (line: string) => void, tools: BenchTools): Promise<void> {
  const cloud = await ownCloud('bv', OUTSIDE, UNLIMITED);
  try {
    const script = fileURLToPath(new URL('./volume/guest.ts', import.meta.url));
    await cloud.run(script, [cloud.state], line => {
      if (!line.startsWith('{')) return print(line);
      const row = JSON.parse(line) as BenchRow;
      tools.row(row);
      print(
        `${row.name}: ${row.rate.toFixed(1)}${row.unit}, ${row.limit?.what} ${row.limit?.rate.toFixed(1)}`,
      );
    });
  } finally {
    await cloud.remove();
  }
}

async function withFake(print: (line: string) => void): Promise<void> {
  const place = tempDir('bench-volume');
  const dir = join(place.path, 'var');
  const words = ['up', '--state-dir', dir, '--ports-offset', String(OFFSET), '--compute-driver', 'fake'];
  try {
    const cloud = await startProgram('folsom', [...words, ...UNLIMITED], {
      logFile: join(place.path, 'log'),
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 120_000,
    });
    try {
      await measure(await login(dir), print);
    } finally {
      await cloud.stop();
    }
  } finally {
    place.remove();
  }
}

async function measure(nova: Client, print: (line: string) => void): Promise<void> {
  const { images } = await nova.call<{ images: { id: string }[] }>('GET', 'images');
  const body = { server: { name: 'bench', imageRef: images[0]!.id, flavorRef: '1' } };
  const { server } = await nova.call<{ server: { id: string } }>('POST', 'servers', body);
  await nova.until(server.id, 'ACTIVE', performance.now(), 20);
  const made: number[] = [];
  const attached: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    let from = performance.now();
    const { volume } = await nova.call<{ volume: { id: string } }>('POST', 'os-volumes', {
      volume: { size: 1 },
    });
    const create = await until(nova, volume.id, 'available', from);
    from = performance.now();
    const attachments = `servers/${server.id}/os-volume_attachments`;
    await nova.call('POST', attachments, { volumeAttachment: { volumeId: volume.id, device: null } });
    const attach = await until(nova, volume.id, 'in-use', from);
    await nova.call('DELETE', `${attachments}/${volume.id}`);
    await until(nova, volume.id, 'available', performance.now());
    await nova.call('DELETE', `os-volumes/${volume.id}`);
    // The first is for the caches.
    if (round === 0) continue;
    made.push(create);
    attached.push(attach);
  }
  const ms = (values: number[]) => `${median(values).toFixed(0)} ms`;
  print(`available after ${ms(made)}, in-use after another ${ms(attached)} (median of ${ROUNDS})`);
}

/** Milliseconds until the volume is as wanted. */
async function until(nova: Client, id: string, status: string, from: number): Promise<number> {
  while (performance.now() - from < LIMIT_MS) {
    const { volume } = await nova.call<{ volume: { status: string } }>('GET', `os-volumes/${id}`);
    if (volume.status === status) return performance.now() - from;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  throw new Error(`volume ${id} is not ${status} after ${LIMIT_MS} ms`);
}
