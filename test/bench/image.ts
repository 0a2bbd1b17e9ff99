import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { dbSync, openDatabase } from '@folsom/db';
import { freePorts, startProgram, tempDir } from '@folsom/testing';
import { load } from './object/load.ts';
import type { Bench } from './run.ts';

const GIB = 1024 ** 3;
const CHUNK = 1024 * 1024;
const IMAGES = 1000;
const ROUNDS = 2;
/** Answers longer than this are images. */
const TEXT_MAX = 64 * 1024;

/**
 * Lists of 1,000 images, and 1 GiB up and down against what md5 and the disk of this machine give in the same run.
 * The original on two cores: 12 lists/s, 208-317 MB/s up, 216-268 MB/s down (883-928 from its cache).
 */
export const bench: Bench = async print => {
  const folder = tempDir('bench-image').path;
  const database = `sqlite:///${join(folder, 'glance.sqlite')}`;
  await fill(database);
  await mkdir(join(folder, 'images'));
  const start = async (program: string, lines: readonly string[]) => {
    const [port = 0] = await freePorts(1);
    const conf = join(folder, `${program}-${port}.conf`);
    const common = [
      `bind_host = 127.0.0.1`,
      `bind_port = ${port}`,
      `sql_connection = ${database}`,
      `filesystem_store_datadir = ${join(folder, 'images')}`,
      `scrubber_datadir = ${join(folder, 'scrubber')}`,
    ];
    await writeFile(conf, `${['[DEFAULT]', ...common, ...lines].join('\n')}\n`);
    const running = await startProgram(program, ['--config-file', conf], {
      logFile: join(folder, `${program}.log`),
      ports: [{ host: '127.0.0.1', port }],
    });
    return { port, pid: running.pid, stop: () => running.stop() };
  };
  try {
    const began = performance.now();
    const api = await start('glance-api', ['registry_client_protocol = local']);
    print(
      `glance-api ready in ${((performance.now() - began) / 1000).toFixed(2)} s, ${memory(api.pid)} MB resident`,
    );
    await lists(api.port, print);
    for (let round = 1; round <= ROUNDS; round++) await transfer(folder, api, print, `round ${round}`);
    await api.stop();

    const registry = await start('glance-registry', []);
    const remote = await start('glance-api', [
      'registry_host = 127.0.0.1',
      `registry_port = ${registry.port}`,
    ]);
    for (let round = 1; round <= ROUNDS; round++)
      await transfer(folder, remote, print, `registry apart, round ${round}`);
    await remote.stop();
    await registry.stop();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

async function lists(port: number, print: (line: string) => void): Promise<void> {
  for (const [what, path] of [
    ['v1 list, 25 of 1,000', '/v1/images'],
    ['v1 detail, 25 of 1,000', '/v1/images/detail'],
    ['v2 list, 25 of 1,000', '/v2/images'],
    ['v1 detail, all 1,000', '/v1/images/detail?limit=1000'],
  ] as const) {
    for (const connections of [1, 16]) {
      const result = await load({
        host: '127.0.0.1',
        port,
        connections,
        seconds: 2,
        next: () => ({ method: 'GET', path }),
      });
      if (Object.keys(result.statuses).join() !== '200')
        throw new Error(`${path}: ${JSON.stringify(result.statuses)}`);
      print(
        `${`${what}, ${connections} at once`.padEnd(36)} ${result.perSecond.toFixed(0).padStart(6)}/s  p50 ${result.median.toFixed(2)} ms  p99 ${result.slowest99.toFixed(2)} ms`,
      );
    }
  }
}

async function transfer(
  folder: string,
  { port, pid }: { port: number; pid: number },
  print: (line: string) => void,
  what: string,
): Promise<void> {
  const md5 = md5Rate();
  const disk = await diskRate(join(folder, 'disk'));
  const percent = (value: number) =>
    `${value.toFixed(0)} MB/s (${((100 * value) / md5).toFixed(0)} % of md5)`;
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, memory(pid));
  }, 100);
  const before = memory(pid);
  const cpuBefore = processorSeconds(pid);
  let start = performance.now();
  const made = await exchange(port, 'POST', '/v1/images', GIB, [
    'content-type: application/octet-stream',
    'x-image-meta-name: gib',
    'x-image-meta-disk_format: raw',
    'x-image-meta-container_format: bare',
  ]);
  const up = rate(start);
  const cpuUp = processorSeconds(pid) - cpuBefore;
  const { image } = JSON.parse(made.text) as { image: { id: string; size: number; status: string } };
  if (image.size !== GIB || image.status !== 'active')
    throw new Error(`upload gave ${JSON.stringify(image)}`);
  // The first download comes from the disk, the second from the page cache.
  const downs: string[] = [];
  for (let n = 0; n < 2; n++) {
    const cpu = processorSeconds(pid);
    start = performance.now();
    const got = await exchange(port, 'GET', `/v1/images/${image.id}`);
    const down = rate(start);
    if (got.bytes !== GIB) throw new Error(`download gave ${got.bytes} bytes`);
    downs.push(`${percent(down)}, ${(processorSeconds(pid) - cpu).toFixed(1)} s`);
  }
  clearInterval(watch);
  await exchange(port, 'DELETE', `/v1/images/${image.id}`);
  print(
    `${what}: md5 ${md5.toFixed(0)} MB/s, disk with fsync ${disk.toFixed(0)} MB/s; 1 GiB up ${percent(up)}, ${cpuUp.toFixed(1)} s of processor, ` +
      `down ${downs.join(', again ')}; memory ${before} -> at most ${peak} MB`,
  );
}

const rate = (start: number): number => GIB / 1e6 / ((performance.now() - start) / 1000);

function md5Rate(): number {
  const block = Buffer.alloc(CHUNK, 7);
  const start = performance.now();
  const hash = createHash('md5');
  for (let i = 0; i < 512; i++) hash.update(block);
  hash.digest();
  return (512 * CHUNK) / 1e6 / ((performance.now() - start) / 1000);
}

async function diskRate(path: string): Promise<number> {
  const block = randomBytes(CHUNK);
  const start = performance.now();
  const file = await open(path, 'wx');
  for (let i = 0; i < GIB / CHUNK; i++) await file.write(block);
  await file.sync();
  await file.close();
  const result = rate(start);
  await rm(path);
  return result;
}

/** Processor time a process has used so far. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory in MB. */
function memory(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib ?? 0) / 1024);
}

/** One exchange on a connection of its own, with as little work as possible on this side: what is measured is the server. */
function exchange(
  port: number,
  method: string,
  path: string,
  length = 0,
  headers: readonly string[] = [],
): Promise<{ text: string; bytes: number }> {
  return new Promise((resolve, reject) => {
    let head = '';
    let bytes = 0;
    let text = '';
    const receive = (size: number, buffer: Buffer): boolean => {
      if (bytes === 0 && !head.includes('\r\n\r\n')) {
        head += buffer.toString('latin1', 0, size);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return true;
        text = head.slice(end + 4);
        bytes = text.length;
        head = head.slice(0, end + 4);
      } else {
        bytes += size;
        if (text.length < TEXT_MAX) text += buffer.toString('latin1', 0, size);
      }
      return true;
    };
    const socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: Buffer.alloc(CHUNK),
        callback: (size, buffer) => receive(size, Buffer.from(buffer.buffer)),
      },
    });
    socket.on('error', reject);
    socket.on('close', () =>
      /^HTTP\/1\.1 2/.test(head)
        ? resolve({ text, bytes })
        : reject(new Error(`${method} ${path}: ${head}${text}`)),
    );
    const lines = [
      `${method} ${path} HTTP/1.1`,
      'host: bench',
      'connection: close',
      `content-length: ${length}`,
      ...headers,
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const block = randomBytes(CHUNK);
    const send = () => {
      while (length > 0) {
        length -= CHUNK;
        if (!socket.write(block)) {
          socket.once('drain', send);
          return;
        }
      }
    };
    send();
  });
}

/** A thousand images with four properties each, as snapshots have. */
async function fill(connection: string): Promise<void> {
  const db = await openDatabase({ connection });
  await dbSync(db, 'glance');
  const stamp = (i: number) =>
    `2012-10-01 ${String(Math.floor(i / 60) % 24).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}:00`;
  for (let i = 0; i < IMAGES; i++) {
    const id = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    const times = { created_at: stamp(i), updated_at: stamp(i), deleted: 0 };
    await db.knex('images').insert({
      id,
      name: `image ${i}`,
      size: 1_000_000 + i,
      status: 'active',
      is_public: 1,
      location: `file:///nowhere/${id}`,
      disk_format: 'qcow2',
      container_format: 'bare',
      checksum: 'd41d8cd98f00b204e9800998ecf8427e',
      owner: `tenant-${i % 10}`,
      min_disk: 0,
      min_ram: 0,
      protected: 0,
      ...times,
    });
    await db.knex('image_properties').insert(
      ['image_type', 'instance_uuid', 'user_id', 'image_state'].map(name => ({
        image_id: id,
        name,
        value: `${name} of ${i}`,
        ...times,
      })),
    );
  }
  await db.close();
}
