/**
 * Measures volumes of a real guest, from where the cloud's host stands: `node guest.ts STATE-DIRECTORY`. Prints lines of text, and rows
 * as JSON.
 */
import { spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { must } from '@folsom/core';
import { run } from '@folsom/host';
import { type Client, login, median } from '../boot/client.ts';
import type { BenchRow } from '../report.ts';
import { randomAccess } from './random-access.ts';

const ROUNDS = 5;
/** Of each transfer: what comes first in the volume. */
const MEGABYTES = 64;
const HUNDREDS = 5;
const LIMIT_MS = 120_000;
const PAUSE_MS = 10;
const PROGRAM = 'random-access';

const dir = must(process.argv[2], 'a state directory was given');
const nova = await login(dir);

/** A guest that answers ssh; its address. */
async function guest(key: string): Promise<{ id: string; address: string }> {
  const { keypair } = await nova.call<{ keypair: { private_key: string } }>('POST', 'os-keypairs', {
    keypair: { name: 'bench' },
  });
  await writeFile(key, keypair.private_key);
  await chmod(key, 0o600);
  const { images } = await nova.call<{ images: { id: string; name: string }[] }>('GET', 'images');
  const image = must(
    images.find(({ name }) => name === 'guest-ami'),
    'the cloud has it',
  );
  const body = { server: { name: 'bench', imageRef: image.id, flavorRef: '1', key_name: 'bench' } };
  const { server } = await nova.call<{ server: { id: string } }>('POST', 'servers', body);
  await nova.until(server.id, 'ACTIVE', performance.now(), 100);
  interface Shown {
    server: { addresses: Record<string, { addr: string }[]> };
  }
  const { addresses } = (await nova.call<Shown>('GET', `servers/${server.id}`)).server;
  return { id: server.id, address: must(Object.values(addresses).flat()[0], 'it has one').addr };
}

const sshTo = (key: string, address: string, command: string): string[] => [
  ...['ssh', '-q', '-i', key, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10'],
  ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', `root@${address}`, command],
];

async function until<T>(what: string, look: () => Promise<T | undefined>, from = performance.now()) {
  while (performance.now() - from < LIMIT_MS) {
    const found = await look();
    if (found !== undefined) return { found, ms: performance.now() - from };
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`${what}: not within ${LIMIT_MS / 1000} s`);
}

const becomes = (client: Client, id: string, status: string, from?: number) =>
  until(
    `volume ${id} is ${status}`,
    async () => {
      const { volume } = await client.call<{ volume: { status: string } }>('GET', `os-volumes/${id}`);
      return volume.status === status || undefined;
    },
    from,
  );

/** Says each time that a guest sees its second disk come; logged in all the while, which takes long on emulated processors. */
function watcher(key: string, address: string) {
  const command =
    'there=no; while :; do if [ -e /sys/block/vdb ]; then now=yes; else now=no; fi; [ $now = $there ] || echo $now; there=$now; usleep 10000; done';
  const [program, ...words] = sshTo(key, address, command);
  const child = spawn(must(program, 'ssh'), words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const seen: string[] = [];
  createInterface({ input: child.stdout! }).on('line', line => seen.push(line));
  return {
    says: (word: string, from?: number) =>
      until(`the guest says ${word}`, async () => (seen.at(-1) === word ? true : undefined), from),
    end: () => child.kill(),
  };
}

const key = join(dir, 'bench.pem');
const { id, address } = await guest(key);
const inside = async (command: string): Promise<string> => {
  const { found } = await until('the guest answers', async () => {
    const done = await run(sshTo(key, address, command), { timeoutMs: LIMIT_MS, allowedCodes: 'any' });
    return done.code === 0 ? done.stdout.trim() : undefined;
  });
  return found;
};
const program = randomAccess();
await inside(`echo ${program.toString('base64')} | base64 -d > /root/${PROGRAM}; chmod 755 /root/${PROGRAM}`);
const onHost = join(dir, PROGRAM);
await writeFile(onHost, program, { mode: 0o755 });

const watching = watcher(key, address);
const times = { made: [] as number[], attached: [] as number[], seen: [] as number[] };
let volume = '';
for (let round = 0; round <= ROUNDS; round++) {
  const { volume: made } = await nova.call<{ volume: { id: string } }>('POST', 'os-volumes', {
    volume: { size: 1 },
  });
  volume = made.id;
  const { ms: create } = await becomes(nova, volume, 'available');
  const from = performance.now();
  const attachments = `servers/${id}/os-volume_attachments`;
  const asked = { volumeAttachment: { volumeId: volume, device: '/dev/vdb' } };
  await nova.call('POST', attachments, asked);
  const both = await Promise.all([becomes(nova, volume, 'in-use', from), watching.says('yes', from)]);
  // The first is for the caches.
  if (round > 0) {
    times.made.push(create);
    times.attached.push(both[0].ms);
    times.seen.push(both[1].ms);
  }
  if (round === ROUNDS) break;
  await nova.call('DELETE', `${attachments}/${volume}`);
  await Promise.all([becomes(nova, volume, 'available'), watching.says('no')]);
  await nova.call('DELETE', `os-volumes/${volume}`);
}
watching.end();
const ms = (values: number[]) => `${median(values).toFixed(0)} ms`;
console.log(
  `a real guest: available after ${ms(times.made)}, in-use after another ${ms(times.attached)}, seen in the guest after ${ms(times.seen)} (median of ${ROUNDS})`,
);

/** Seconds that a command takes in the guest, by its clock. */
async function guestSeconds(command: string): Promise<number> {
  const clock = 'cut -d" " -f1 /proc/uptime';
  const said = await inside(`a=$(${clock}); ${command} >/dev/null 2>&1 || exit 1; echo $a $(${clock})`);
  const [begun = 0, ended = 0] = said.split(' ').map(Number);
  return ended - begun;
}

async function hostSeconds(argv: readonly string[]): Promise<number> {
  const from = performance.now();
  await run(argv, { timeoutMs: LIMIT_MS });
  return (performance.now() - from) / 1000;
}

const file = join(dir, 'nova', 'volume-files', `volume-${volume}`);
/** The volume's own file, beside the page cache, as its guest's machine opens it. */
const dd = (from: string, to: string, ...flags: string[]) => [
  ...['dd', `if=${from}`, `of=${to}`, 'bs=1M', `count=${MEGABYTES}`, ...flags],
];
const operations = HUNDREDS * 100;
const kinds: {
  name: string;
  unit: BenchRow['unit'];
  amount: number;
  inGuest: string;
  here: string[];
}[] = [
  {
    ...{ name: 'volume: sequential write', unit: 'MB/s', amount: MEGABYTES },
    inGuest: `dd if=/dev/zero of=/dev/vdb bs=1M count=${MEGABYTES} conv=fsync`,
    here: dd('/dev/zero', file, 'oflag=direct', 'conv=notrunc,fsync'),
  },
  {
    ...{ name: 'volume: sequential read', unit: 'MB/s', amount: MEGABYTES },
    inGuest: `sh -c "echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vdb of=/dev/null bs=1M count=${MEGABYTES}"`,
    here: dd(file, '/dev/null', 'iflag=direct'),
  },
  {
    ...{ name: 'volume: random write of 4 KiB', unit: '/s', amount: operations },
    inGuest: `/root/${PROGRAM} /dev/vdb w ${HUNDREDS}`,
    here: [onHost, file, 'w', String(HUNDREDS)],
  },
  {
    ...{ name: 'volume: random read of 4 KiB', unit: '/s', amount: operations },
    inGuest: `/root/${PROGRAM} /dev/vdb r ${HUNDREDS}`,
    here: [onHost, file, 'r', String(HUNDREDS)],
  },
];
for (const { name, unit, amount, inGuest, here } of kinds) {
  const rate = amount / (await guestSeconds(inGuest));
  const limit = { what: 'the same file on its host', rate: amount / (await hostSeconds(here)) };
  console.log(JSON.stringify({ name, rate, unit, cpu: {}, limit } satisfies BenchRow));
}
