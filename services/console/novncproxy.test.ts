import { existsSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, seededRandom, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { novaOptions } from '@folsom/nova/options';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { eventually, tempDir } from '@folsom/testing';
import { chromium } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type FakeVnc, fakeVnc } from './fake-vnc.ts';
import { consoleOptions, startNovncProxy, startXvpVncProxy } from './index.ts';

const TOKEN = 'MARKED-4000-8000-token';

let lines: string[];
let bus: LocalBus;
let proxy: RunningService | undefined;
let vnc: FakeVnc;
let origin: string;
let access: Record<string, unknown> | null;

beforeEach(async () => {
  lines = [];
  bus = createLocalBus(world());
  await bus.serve({
    topic: 'consoleauth',
    host: 'h',
    handlers: {
      check_token: ((_: unknown, args: { token: string }) => (args.token === TOKEN ? access : null)) as never,
    },
  });
});

afterEach(async () => {
  await proxy?.stop();
  await vnc?.stop();
  await bus.close();
});

const world = () => ({
  clock: systemClock,
  random: seededRandom(1),
  log: createLogger({ level: 'debug', write: line => lines.push(line) }),
});

async function start(values: Record<string, string> = {}, options: { greet?: boolean } = { greet: false }) {
  vnc = await fakeVnc(options);
  access = {
    token: TOKEN,
    console_type: 'novnc',
    host: '127.0.0.1',
    port: vnc.port,
    internal_access_path: null,
    instance_uuid: 'u1',
  };
  const config = configFrom([novaOptions, consoleOptions], {
    DEFAULT: {
      novncproxy_host: '127.0.0.1',
      novncproxy_port: '0',
      novncproxy_base_url: 'http://cloud.example.org:6080/vnc_auto.html',
      web: '/nonexistent',
      ...values,
    },
  });
  proxy = await startNovncProxy({ config, bus, world: world() });
  origin = `http://${proxy.addresses[0]}`;
}

function open(
  path: string,
  options: { headers?: Record<string, string>; protocols?: string[]; url?: string } = {},
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const url = `${(options.url ?? origin).replace('http', 'ws')}${path}`;
    const client = new WebSocket(url, options.protocols ?? ['binary'], {
      headers: options.headers ?? {},
      rejectUnauthorized: false,
    });
    client.once('open', () => resolve(client));
    client.once('unexpected-response', (_request, response) =>
      reject(new Error(String(response.statusCode))),
    );
    client.once('error', reject);
  });
}

const next = (client: WebSocket): Promise<Buffer> =>
  new Promise(resolve => client.once('message', data => resolve(data as Buffer)));

/** A request whose path is sent exactly as given. */
function get(
  path: string,
  method = 'GET',
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const [host, port] = proxy!.addresses[0]!.split(':');
    const call = httpRequest({ host, port, path, method }, response => {
      let body = '';
      response.on('data', chunk => {
        body += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}

describe('the websocket', () => {
  it('carries bytes both ways for a good token, in the address or in the cookie', async () => {
    await start();
    for (const [path, headers] of [
      [`/websockify?token=${TOKEN}`, {}],
      ['/websockify', { cookie: `a=b; token=${TOKEN}` }],
    ] as const) {
      const client = await open(path, { headers });
      const bytes = Buffer.from([0, 1, 2, 255]);
      client.send(bytes);
      expect(await next(client)).toEqual(bytes);
      client.close();
    }
    await eventually(() => vnc.sockets.size).toBe(0);
  });

  it('speaks base64 with browsers of 2012', async () => {
    await start();
    const client = await open(`/?token=${TOKEN}`, { protocols: ['base64'] });
    client.send(Buffer.from([0, 200]).toString('base64'));
    expect((await next(client)).toString()).toBe('AMg=');
    client.close();
  });

  it('carries more than fits into its buffers, in order', async () => {
    await start();
    const client = await open(`/?token=${TOKEN}`);
    const sent = Buffer.alloc(20_000_000);
    for (let at = 0; at < sent.length; at += 4) sent.writeUInt32BE(at, at);
    const parts: Buffer[] = [];
    let size = 0;
    const whole = new Promise<void>(resolve => {
      client.on('message', data => {
        parts.push(data as Buffer);
        size += (data as Buffer).length;
        if (size === sent.length) resolve();
      });
    });
    for (let at = 0; at < sent.length; at += 1_000_000) client.send(sent.subarray(at, at + 1_000_000));
    await whole;
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    client.close();
  });

  it('closes when the guest’s screen does', async () => {
    await start();
    const client = await open(`/?token=${TOKEN}`);
    const closed = new Promise<number>(resolve => client.once('close', resolve));
    await eventually(() => vnc.sockets.size).toBe(1);
    for (const socket of vnc.sockets) socket.destroy();
    expect(await closed).toBe(1000);
  });

  it('is refused without a good token, and when the screen cannot be reached', async () => {
    await start();
    await expect(open('/websockify')).rejects.toThrow('400');
    await expect(open('/websockify?token=wrong')).rejects.toThrow('401');
    await expect(open('/websockify?token=%0d%0aX')).rejects.toThrow('400');
    access = { ...access, console_type: 'xvpvnc' };
    await expect(open(`/websockify?token=${TOKEN}`)).rejects.toThrow('401');
    access = { ...access, console_type: 'novnc', port: 1 };
    await expect(open(`/websockify?token=${TOKEN}`)).rejects.toThrow('502');
    await bus.close();
    await expect(open(`/websockify?token=${TOKEN}`)).rejects.toThrow('502');
  });

  it('CVE-2015-0259: opens for pages of its own and named origins alone', async () => {
    await start({ console_allowed_origins: 'https://dashboard.example.org' });
    const path = `/websockify?token=${TOKEN}`;
    for (const from of [origin, 'http://cloud.example.org:6080', 'https://dashboard.example.org']) {
      (await open(path, { headers: { origin: from } })).close();
    }
    for (const from of [
      'http://evil.example.org',
      'https://cloud.example.org:6080',
      'http://cloud.example.org',
      'http://127.0.0.1',
      'null',
      '',
      'file://',
    ]) {
      await expect(open(path, { headers: { origin: from } })).rejects.toThrow('403');
    }
  });

  it('CVE-2015-9543: leaves no token in the log', async () => {
    await start();
    await get(`/vnc_auto.html?token=${TOKEN}`);
    (await open(`/websockify?token=${TOKEN}`)).close();
    (await open('/websockify', { headers: { cookie: `token=${TOKEN}` } })).close();
    await expect(open(`/websockify?token=${TOKEN}`, { headers: { origin: 'http://x' } })).rejects.toThrow();
    access = { ...access, port: 1 };
    await expect(open(`/websockify?token=${TOKEN}`)).rejects.toThrow();
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.join('')).not.toContain('MARKED');
  });

  it('says so when the gateway closes without a word, and keeps nothing of a client that left before it answered', async () => {
    await start();
    access = { ...access, internal_access_path: '/console' };
    const asked = () => vnc.received().toString().split('CONNECT').length - 1;
    const refused = expect(open(`/?token=${TOKEN}`)).rejects.toThrow('502');
    await eventually(asked).toBe(1);
    for (const socket of vnc.sockets) socket.end();
    await refused;
    const client = new WebSocket(`${origin.replace('http', 'ws')}/?token=${TOKEN}`, ['binary']);
    const gone = new Promise(resolve => client.once('close', resolve));
    client.on('error', () => {});
    await eventually(asked).toBe(2);
    client.terminate();
    await gone;
    for (const socket of vnc.sockets) socket.write('HTTP/1.1 200 OK\r\n\r\n');
    await eventually(() => vnc.sockets.size).toBe(0);
  });

  it('goes through the gateway a hypervisor names', async () => {
    await start();
    access = { ...access, internal_access_path: '/console?ref=1' };
    const refused = expect(open(`/?token=${TOKEN}`)).rejects.toThrow('502');
    await eventually(() => vnc.received().toString()).toContain('CONNECT /console?ref=1 HTTP/1.1\r\n\r\n');
    for (const socket of vnc.sockets) socket.write('HTTP/1.1 403 No\r\n\r\n');
    await refused;
  });
});

describe('the page', () => {
  it('and what it needs are served', async () => {
    await start();
    const page = await get(`/vnc_auto.html?token=${TOKEN}`);
    expect(page).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(page.headers['content-type']).toContain('text/html');
    for (const path of [
      '/',
      '/vnc_auto.js',
      '/vnc_auto.css',
      '/core/rfb.js',
      '/vendor/pako/lib/zlib/inflate.js',
    ]) {
      expect((await get(path)).status).toBe(200);
    }
    expect(await get('/vnc_auto.html', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect((await get('/nothing.html')).status).toBe(404);
    expect((await get('/core')).status).toBe(404);
    expect((await get('/vnc_auto.html', 'POST')).status).toBe(405);
  });

  it('is not needed to ask for the proxy’s health', async () => {
    await start();
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    await bus.close();
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(503);
  });

  it('comes from the operator’s own directory where there is one', async () => {
    const dir = tempDir('novnc');
    writeFileSync(join(dir.path, 'vnc_auto.html'), 'own page');
    await start({ web: dir.path });
    expect((await get('/vnc_auto.html')).body).toBe('own page');
    expect((await get('/core/rfb.js')).status).toBe(200);
    dir.remove();
  });

  it('CVE-2021-3654: is never another host’s: odd paths are refused and nothing redirects', async () => {
    await start();
    for (const path of [
      '//example.org/%2e%2e',
      '//example.org/%2f..',
      '///example.org',
      '/core/',
      '/core/../../package.json',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2f..%2fetc/passwd',
      '/core%5c..%5crfb.js',
      '/core/\\example.org',
      'http://example.org/',
      '/%00',
      '/.git/config',
      `/${'a'.repeat(5000)}`,
    ]) {
      const answer = await get(path);
      expect([path, answer.status]).toEqual([path, 400]);
      expect(answer.headers.location).toBeUndefined();
    }
  });
});

describe('TLS', () => {
  it('is spoken on the same port where there is a certificate', async () => {
    const dir = tempDir('console-tls');
    const [cert, key] = [join(dir.path, 'cert.pem'), join(dir.path, 'key.pem')];
    await run(
      [
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        '/CN=x',
        '-days',
        '2',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { timeoutMs: 20_000 },
    );
    await start({ cert, key });
    const https = origin.replace('http:', 'https:');
    const status = await new Promise(resolve => {
      httpsRequest(`${https}/vnc_auto.html`, { rejectUnauthorized: false }, response => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(status).toBe(200);
    expect((await get('/vnc_auto.html')).status).toBe(200);
    for (const url of [https, origin]) {
      const client = await open(`/?token=${TOKEN}`, { url, headers: { origin: url } });
      client.send('x');
      expect((await next(client)).toString()).toBe('x');
      client.close();
    }
    await proxy?.stop();
    await vnc.stop();
    await start({ cert, key, ssl_only: 'true' });
    await expect(get('/vnc_auto.html')).rejects.toThrow();
    dir.remove();
    await expect(start({ cert, ssl_only: 'true' })).rejects.toThrow('not found');
  });
});

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
if (browser === undefined) console.warn('skipped: chromium not installed');

describe.skipIf(!needs('chromium', browser !== undefined))('in a browser', () => {
  it('the guest’s screen is shown and takes keys', async () => {
    await start({}, {});
    const chrome = await chromium.launch({ executablePath: browser!, args: ['--no-sandbox'] });
    try {
      const page = await chrome.newPage();
      const complaints: string[] = [];
      page.on('console', message => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(`${origin}/vnc_auto.html?token=${TOKEN}`);
      await page.locator('#status', { hasText: 'Connected' }).waitFor({ timeout: 40_000 });
      const colour = () =>
        page.evaluate(`(() => {
          const canvas = document.querySelector('canvas');
          return [...canvas.getContext('2d').getImageData(5, 5, 1, 1).data.slice(0, 3)];
        })()`);
      await eventually(colour).toEqual([0x20, 0x40, 0xc0]);
      // The guest names its screen; the name is text.
      expect(await page.locator('#name').textContent()).toBe('guest <b>1</b>');
      await page.locator('canvas').click();
      await page.keyboard.press('a');
      await eventually(() => vnc.received().includes(Buffer.from([4, 1, 0, 0, 0, 0, 0, 0x61]))).toBe(true);
      expect(complaints).toEqual([]);
      const other = await chrome.newPage();
      await other.goto(`${origin}/vnc_auto.html?token=wrong`);
      await other.locator('#status', { hasText: 'cannot be reached' }).waitFor({ timeout: 40_000 });
    } finally {
      await chrome.close();
    }
  }, 240_000);
});

describe('xvpvncproxy', () => {
  let xvp: RunningService | undefined;
  afterEach(() => xvp?.stop());

  const ask = (text: string, more?: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const [host, port] = xvp!.addresses[0]!.split(':');
      const socket = connect(Number(port), host, () => socket.write(text));
      let got = '';
      socket.on('data', chunk => {
        got += chunk;
        if (more !== undefined && got === 'HTTP/1.1 200 OK\r\n\r\n') socket.write(more);
        if (more !== undefined && got.endsWith(more)) socket.end();
      });
      socket.once('close', () => resolve(got));
      socket.once('error', reject);
    });

  const startXvp = async () => {
    await start();
    access = { ...access, console_type: 'xvpvnc' };
    const config = configFrom([novaOptions], {
      DEFAULT: { xvpvncproxy_host: '127.0.0.1', xvpvncproxy_port: '0' },
    });
    xvp = await startXvpVncProxy({ config, bus, world: world() });
  };

  it('keeps nothing of a viewer that left before the screen answered', async () => {
    await startXvp();
    access = { ...access, internal_access_path: '/console' };
    const [host, port] = xvp!.addresses[0]!.split(':');
    const viewer = connect(Number(port), host, () =>
      viewer.write(`GET /console?token=${TOKEN} HTTP/1.0\r\n\r\n`),
    );
    await eventually(() => vnc.received().toString()).toContain('CONNECT');
    const gone = new Promise(resolve => viewer.once('close', resolve));
    viewer.resetAndDestroy();
    await gone;
    for (const socket of vnc.sockets) socket.write('HTTP/1.1 200 OK\r\n\r\n');
    await eventually(() => vnc.sockets.size).toBe(0);
  });

  it('goes on with VNC after a good token', async () => {
    await startXvp();
    expect(await ask(`GET /console?token=${TOKEN} HTTP/1.0\r\n\r\n`, 'RFB')).toBe(
      'HTTP/1.1 200 OK\r\n\r\nRFB',
    );
    expect(await ask('GET /console?token=wrong HTTP/1.0\r\n\r\n')).toContain('401 Not Authorized');
    expect(await ask('GET /console HTTP/1.0\r\n\r\n')).toContain('400 Invalid Request');
    expect(await ask('x'.repeat(100_000)).catch(() => '')).toBe('');
    access = { ...access, console_type: 'novnc' };
    expect(await ask(`GET /console?token=${TOKEN} HTTP/1.0\r\n\r\n`)).toContain('401 Not Authorized');
    expect(lines.join('')).not.toContain('MARKED');
  });
});
