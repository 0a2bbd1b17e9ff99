import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { configFrom } from '@folsom/config';
import { type RunningService, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { run } from '@folsom/host';
import { novaOptions } from '@folsom/nova/options';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { eventually, tempDir } from '@folsom/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FakeVnc, fakeVnc } from './fake-vnc.ts';
import { startNovncProxy } from './novncproxy.ts';
import { consoleOptions } from './options.ts';
import { startXvpVncProxy } from './xvpvncproxy.ts';

const TOKEN = 'token';
const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const dir = tempDir('slow-clients');
/** Large enough that a reader who takes nothing holds the most of it back. */
const PAGE_BYTES = 64 * 1024 ** 2;
const headsOnly = { headersMs: 600, stallMs: 600_000 };
const readersOnly = { headersMs: 600_000, stallMs: 300 };

let bus: LocalBus;
let vnc: FakeVnc;
let proxy: RunningService | undefined;
const sockets: Socket[] = [];

beforeAll(async () => {
  const [key, cert] = [join(dir.path, 'key.pem'), join(dir.path, 'cert.pem')];
  const words = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 2 -keyout ${key} -out ${cert}`;
  await run(words.split(' '), { timeoutMs: 20_000 });
  writeFileSync(join(dir.path, 'vnc_auto.html'), Buffer.alloc(PAGE_BYTES));
  vnc = await fakeVnc({ greet: false });
  bus = createLocalBus(world);
  const access = { token: TOKEN, host: '127.0.0.1', port: vnc.port, internal_access_path: null };
  const check_token = () => ({ ...access, console_type: 'xvpvnc', instance_uuid: 'u1' });
  await bus.serve({ topic: 'consoleauth', host: 'h', handlers: { check_token } });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await proxy?.stop();
});
afterAll(async () => {
  await vnc.stop();
  await bus.close();
  dir.remove();
});

async function novnc(tls: boolean, limits: typeof headsOnly): Promise<number> {
  const values = { novncproxy_host: '127.0.0.1', novncproxy_port: '0', web: dir.path };
  const files = tls ? { cert: join(dir.path, 'cert.pem'), key: join(dir.path, 'key.pem') } : {};
  const config = configFrom([novaOptions, consoleOptions], {
    DEFAULT: { cert: join(dir.path, 'none'), ...values, ...files },
  });
  proxy = await startNovncProxy({ config, bus, world, limits });
  return Number(proxy.addresses[0]!.split(':')[1]);
}

async function xvpvnc(limits: typeof headsOnly): Promise<number> {
  const config = configFrom([novaOptions], {
    DEFAULT: { xvpvncproxy_host: '127.0.0.1', xvpvncproxy_port: '0' },
  });
  proxy = await startXvpVncProxy({ config, bus, world, limits });
  return Number(proxy.addresses[0]!.split(':')[1]);
}

async function connected(port: number, secure: boolean): Promise<Socket> {
  const at = { host: '127.0.0.1', port, rejectUnauthorized: false };
  const socket: Socket = secure ? connectTls(at) : connect(at);
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, secure ? 'secureConnect' : 'connect');
  return socket;
}

/** Whether a head that comes a byte at a time is cut off before its end. */
async function slowHead(port: number, secure = false): Promise<void> {
  const socket = await connected(port, secure);
  socket.resume();
  let over = false;
  socket.once('close', () => {
    over = true;
  });
  socket.write('GET /vnc_auto.html HTTP/1.1\r\nX: ');
  const drip = systemClock.every(50, () => void socket.write('x'));
  await eventually(() => over).toBe(true);
  drip.cancel();
}

/** Asks, reads a little and then nothing more. */
async function stall(port: number, request: string, secure = false): Promise<Socket> {
  const socket = await connected(port, secure);
  socket.write(request);
  await once(socket, 'data');
  return socket.pause();
}

/** What was on the way is read out; true when that is not all there was. */
async function cutShort(socket: Socket, whole: number): Promise<boolean> {
  let read = 0;
  socket.on('data', chunk => {
    read += chunk.length;
  });
  socket.resume();
  await once(socket, 'close');
  return read < whole;
}

describe.each([
  ['in the clear', false, false],
  ['in the clear, beside TLS', true, false],
  ['over TLS', true, true],
])('novncproxy %s', (_name, tls, secure) => {
  it('cuts off a head that comes slowly', async () => {
    await slowHead(await novnc(tls, headsOnly), secure);
  });

  it('lets go of a reader who takes nothing', async () => {
    const port = await novnc(tls, readersOnly);
    const socket = await stall(port, 'GET /vnc_auto.html HTTP/1.1\r\nHost: x\r\n\r\n', secure);
    await systemClock.sleep(readersOnly.stallMs * 3);
    expect(await cutShort(socket, PAGE_BYTES / 2)).toBe(true);
  });
});

describe('xvpvncproxy', () => {
  it('cuts off a head that comes slowly', async () => {
    await slowHead(await xvpvnc(headsOnly));
  });

  it('lets go of a viewer who takes nothing, and of the guest’s screen with him', async () => {
    const port = await xvpvnc(readersOnly);
    await stall(port, `GET /console?token=${TOKEN} HTTP/1.0\r\n\r\n`);
    await eventually(() => vnc.sockets.size).toBe(1);
    const [screen] = vnc.sockets;
    screen!.write(Buffer.alloc(PAGE_BYTES));
    await eventually(() => vnc.sockets.size).toBe(0);
  });
});
