import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { startProgram, tempDir } from '@folsom/testing';
import { PORT_OFFSETS } from '../port-offsets.ts';
import type { Bench } from './run.ts';

const OFFSET = Number(process.env.BENCH_PORTS_OFFSET ?? PORT_OFFSETS.benchMemory);
/** What a cloud may hold that nothing is asked of, and one that was heavily used; and when it must be there. */
const IDLE_MB = 250;
const USED_MB = 300;
const BACK_MS = 60_000;
const LOOK_MS = 5_000;
const MEGABYTE = 2 ** 20;

interface Cloud {
  pid: number;
  port(standard: number): number;
  token: string;
  tenant: string;
}

/** All that the process and those it started hold, in megabytes: shared pages count once for each. */
async function residentMb(pid: number): Promise<number> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
    if (stat !== '') parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]));
  }
  const mine = new Set([pid]);
  for (let before = 0; before !== mine.size; ) {
    before = mine.size;
    for (const [child, parent] of parents) if (mine.has(parent)) mine.add(child);
  }
  let sum = 0;
  for (const one of mine) {
    const status = await readFile(`/proc/${one}/status`, 'utf8').catch(() => '');
    sum += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  }
  return sum;
}

const agent = new Agent({ keepAlive: true });

/** One request; `bytes` of a body that nobody can compress, never held whole. The answer's body is counted, and kept when short. */
function ask(
  cloud: Pick<Cloud, 'port'> & { token?: string },
  method: string,
  [port, path]: readonly [number, string],
  options: { headers?: Record<string, string>; bytes?: number; body?: unknown } = {},
): Promise<{ status: number; size: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    size: number;
    text: string;
  }>();
  const text = options.body === undefined ? '' : JSON.stringify(options.body);
  const sent = request(
    {
      host: '127.0.0.1',
      port: cloud.port(port),
      method,
      path,
      agent,
      headers: {
        ...(cloud.token === undefined ? {} : { 'x-auth-token': cloud.token }),
        ...(text === '' ? {} : { 'content-type': 'application/json' }),
        'content-length': String(options.bytes ?? Buffer.byteLength(text)),
        ...options.headers,
      },
    },
    answer => {
      let size = 0;
      let kept = '';
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size < MEGABYTE) kept += chunk.toString('latin1');
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, size, text: kept }));
    },
  );
  sent.on('error', reject);
  let left = options.bytes ?? 0;
  const chunk = randomBytes(64 * 1024);
  const pump = () => {
    while (left > 0) {
      const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
      left -= piece.length;
      if (!sent.write(piece)) return void sent.once('drain', pump);
    }
    sent.end(text);
  };
  pump();
  return promise;
}

async function login(dir: string, port: Cloud['port']): Promise<Pick<Cloud, 'token' | 'tenant'>> {
  const openrc = await readFile(join(dir, 'openrc'), 'utf8');
  const value = (name: string) => new RegExp(`${name}=['"]?([^'"\n]+)`).exec(openrc)![1]!;
  const credentials = { username: value('OS_USERNAME'), password: value('OS_PASSWORD') };
  const body = { auth: { tenantName: value('OS_TENANT_NAME'), passwordCredentials: credentials } };
  const { token } = JSON.parse((await ask({ port }, 'POST', [5000, '/v2.0/tokens'], { body })).text).access;
  return { token: token.id, tenant: token.tenant.id };
}

/** At most `width` at a time. */
async function all(count: number, width: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

const must = async (answer: ReturnType<typeof ask>): Promise<{ size: number; text: string }> => {
  const { status, size, text } = await answer;
  if (status >= 300) throw new Error(`${status} ${text.slice(0, 300)}`);
  return { size, text };
};

async function uploads(cloud: Cloud): Promise<void> {
  const at = (name: string) => [8080, `/v1/AUTH_${cloud.tenant}/uploads${name}`] as const;
  await must(ask(cloud, 'PUT', at('')));
  await all(64, 64, async n => void (await must(ask(cloud, 'PUT', at(`/${n}`), { bytes: 64 * MEGABYTE }))));
  await all(64, 8, async n => void (await must(ask(cloud, 'DELETE', at(`/${n}`)))));
}

async function boots(cloud: Cloud): Promise<void> {
  const at = (path: string) => [8774, `/v2/${cloud.tenant}/${path}`] as const;
  const { images } = JSON.parse((await must(ask(cloud, 'GET', at('images')))).text);
  // As many as the quota lets live at a time.
  await all(300, 8, async n => {
    const server = { name: `memory-${n}`, imageRef: images[0].id, flavorRef: '1' };
    const { text } = await must(ask(cloud, 'POST', at('servers'), { body: { server } }));
    const path = at(`servers/${JSON.parse(text).server.id}`);
    while (!(await must(ask(cloud, 'GET', path))).text.includes('"ACTIVE"')) await pause(200);
    await must(ask(cloud, 'DELETE', path));
    while ((await ask(cloud, 'GET', path)).status !== 404) await pause(200);
  });
}

async function listing(cloud: Cloud): Promise<void> {
  const at = (name: string) => [8080, `/v1/AUTH_${cloud.tenant}/listed${name}`] as const;
  await must(ask(cloud, 'PUT', at('')));
  await all(10_000, 16, async n => void (await must(ask(cloud, 'PUT', at(`/object-${n}`)))));
  await all(100, 8, async () => void (await must(ask(cloud, 'GET', at('?format=json')))));
}

async function image(cloud: Cloud): Promise<void> {
  const body = { name: 'large', disk_format: 'raw', container_format: 'bare' };
  const { id } = JSON.parse((await must(ask(cloud, 'POST', [9292, '/v2/images'], { body }))).text);
  const file = [9292, `/v2/images/${id}/file`] as const;
  const headers = { 'content-type': 'application/octet-stream' };
  await must(ask(cloud, 'PUT', file, { headers, bytes: 1024 * MEGABYTE }));
  const { size } = await must(ask(cloud, 'GET', file));
  if (size !== 1024 * MEGABYTE) throw new Error(`${size} bytes came back`);
  await must(ask(cloud, 'DELETE', [9292, `/v2/images/${id}`]));
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
const WORK: Readonly<Record<string, readonly [what: string, work: (cloud: Cloud) => Promise<void>]>> = {
  uploads: ['64 uploads of 64 MiB at once', uploads],
  boots: ['300 boots and deletes', boots],
  listing: ['10,000 objects, listed 100 times', listing],
  image: ['an image of 1 GiB up and down', image],
};

/** What a whole cloud with the fake hypervisor holds: at rest, at its height under heavy use, and until a minute after it. */
export const bench: Bench = async (print, asked) => {
  const unknown = asked.find(part => !(part in WORK));
  if (unknown !== undefined)
    throw new Error(`memory has no part ${unknown}; it has ${Object.keys(WORK).join(', ')}`);
  const place = tempDir('bench-memory');
  const dir = join(place.path, 'var');
  const words = ['up', '--state-dir', dir, '--ports-offset', String(OFFSET), '--compute-driver', 'fake'];
  const started = await startProgram('folsom', words, {
    logFile: join(place.path, 'terminal.log'),
    until: /^ready in [\d.]+ s$/m,
    timeoutMs: 180_000,
  });
  try {
    const port = (standard: number) => standard + OFFSET;
    const cloud: Cloud = { pid: started.pid, port, ...(await login(dir, port)) };
    const start = performance.now();
    const first = await residentMb(cloud.pid);
    const { now, seconds } = await settled(cloud, start, IDLE_MB);
    print(
      `${'at rest'.padEnd(34)} ${first.toFixed(0)} MB when it is ready, ${now.toFixed(0)} MB after ${seconds} s`,
    );
    for (const [name, [what, work]] of Object.entries(WORK))
      if (asked.length === 0 || asked.includes(name))
        print(`${what.padEnd(34)} ${await measured(cloud, work)}`);
  } finally {
    agent.destroy();
    await started.stop();
    place.remove();
  }
};

/** Waits until the cloud holds no more than `target` megabytes, or the time for that is over. */
async function settled(
  cloud: Cloud,
  since: number,
  target: number,
): Promise<{ now: number; seconds: number }> {
  let now = await residentMb(cloud.pid);
  while (now > target && performance.now() - since < BACK_MS) {
    await pause(LOOK_MS);
    now = await residentMb(cloud.pid);
  }
  return { now, seconds: Math.round((performance.now() - since) / 1000) };
}

async function measured(cloud: Cloud, work: (cloud: Cloud) => Promise<void>): Promise<string> {
  let height = 0;
  const looking = setInterval(async () => {
    height = Math.max(height, await residentMb(cloud.pid));
  }, 250);
  await work(cloud).finally(() => clearInterval(looking));
  const end = performance.now();
  const first = await residentMb(cloud.pid);
  const { now, seconds } = await settled(cloud, end, USED_MB);
  return `${height.toFixed(0)} MB at its height, ${first.toFixed(0)} MB at its end, ${now.toFixed(0)} MB after ${seconds} s`;
}
