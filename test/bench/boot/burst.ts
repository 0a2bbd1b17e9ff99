// `node burst.ts STATE-DIR PID COUNT`: runs beside a cloud and prints its figures.
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import type { BenchRow } from '../report.ts';
import { type Client, login } from './client.ts';

/** Milliseconds between two looks of the other tenant; each has a connection of its own, as command lines have. */
const PROBE_MS = 25;
const SETTLE_LIMIT_MS = 180_000;

const [dir = '', pid = '', count = '300'] = process.argv.slice(2);
const booting = await login(dir);
const other = await login(dir, 'openrc-demo');
/** So many boots of one tenant at once, while another one looks at its servers. */
async function measure(boots: number): Promise<void> {
  const { images } = await booting.call<{ images: { id: string; name: string }[] }>('GET', 'images');
  const extra = { 'OS-FLV-EXT-DATA:ephemeral': 0, swap: 0, rxtx_factor: 1 };
  await booting
    .call('POST', 'flavors', { flavor: { id: '78', name: 'burst', ram: 64, vcpus: 1, disk: 0, ...extra } })
    .catch(() => {});
  const server = { name: 'burst', imageRef: images[0]!.id, flavorRef: '78' };
  const body = JSON.stringify({ server });
  const statuses = new Map<number, number>();
  const accepted: number[] = [];
  const looks: number[] = [];
  let looking = true;
  const probing = probe(other, looks, () => looking);
  await new Promise(resolve => setTimeout(resolve, 500));
  const quiet = looks.splice(0);
  const cpu = await processorMs(pid);
  const from = performance.now();
  await Promise.all(
    Array.from({ length: boots }, async () => {
      const status = await once(booting, 'POST', 'servers', body);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 202) accepted.push(performance.now() - from);
    }),
  );
  const answered = performance.now() - from;
  const built = await allActive(booting, from);
  const cost = ((await processorMs(pid)) - cpu) / Math.max(1, accepted.length);
  looking = false;
  await probing;
  const rate = (accepted.length / answered) * 1000;
  const row: BenchRow = {
    name: `${boots} boots of one tenant at once, accepted and built`,
    rate,
    unit: '/s',
    cpu: { cloud: cost },
  };
  console.log(`row ${JSON.stringify(row)}`);
  const said = [...statuses].map(([status, times]) => `${times} × ${status}`).join(', ');
  console.log(
    `${boots} boots at once: ${said}; the last answer after ${ms(answered)}, ${Math.round(rate)} accepted/s, ` +
      `all ACTIVE after ${ms(built)}, ${cost.toFixed(1)} ms of processor each`,
  );
  console.log(`  another tenant's GET servers: before ${spread(quiet)}; meanwhile ${spread(looks)}`);
  await clear(booting);
}

async function probe(client: Client, into: number[], on: () => boolean): Promise<void> {
  const asked: Promise<void>[] = [];
  while (on()) {
    const from = performance.now();
    asked.push(
      once(client, 'GET', 'servers').then(status => {
        into.push(status === 200 ? performance.now() - from : Number.POSITIVE_INFINITY);
      }),
    );
    await new Promise(resolve => setTimeout(resolve, PROBE_MS));
  }
  await Promise.all(asked);
}

/** One request on a connection of its own; its status, 0 where the connection was lost. */
const once = (client: Client, method: string, path: string, body = ''): Promise<number> =>
  new Promise(resolve => {
    const headers = { ...client.headers, 'content-length': Buffer.byteLength(body) };
    const sent = request(`${client.url}/${path}`, { method, headers, agent: new Agent() }, answer => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.once('error', () => resolve(0));
    sent.end(body);
  });

async function allActive(client: Client, from: number): Promise<number> {
  while (performance.now() - from < SETTLE_LIMIT_MS) {
    const { servers } = await client.call<{ servers: unknown[] }>('GET', 'servers?status=BUILD&limit=1');
    if (servers.length === 0) {
      const took = performance.now() - from;
      const failed = await client.call<{ servers: unknown[] }>('GET', 'servers?status=ERROR');
      if (failed.servers.length > 0) console.log(`  ${failed.servers.length} in ERROR`);
      return took;
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  throw new Error(`not all are ACTIVE after ${SETTLE_LIMIT_MS} ms`);
}

async function clear(client: Client): Promise<void> {
  for (;;) {
    const { servers } = await client.call<{ servers: { id: string }[] }>('GET', 'servers');
    if (servers.length === 0) return;
    for (const { id } of servers) await client.call('DELETE', `servers/${id}`).catch(() => {});
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

/** Processor time a process has used, from clock ticks of 10 ms. */
async function processorMs(of: string): Promise<number> {
  const text = await readFile(`/proc/${of}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const ms = (value: number): string => `${Math.round(value)} ms`;

const spread = (values: readonly number[]): string => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => ms(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${ms(sorted.at(-1)!)} (${sorted.length})`;
};

await measure(Number(count));
process.exit(0);
