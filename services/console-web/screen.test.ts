import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, seededRandom } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type FakeCloud, fakeCloud, USER } from './fake-cloud.ts';
import { consoleWebOptions, startConsoleWeb } from './index.ts';
import { CONSOLE_WEB_LIMITS as LIMITS } from './limits.ts';

let cloud: FakeCloud;
let web: RunningService;
let proxy: WebSocketServer;
let clock: ReturnType<typeof fakeClock>;
let opened: WebSocket[];

beforeEach(async () => {
  cloud = await fakeCloud();
  clock = fakeClock();
  // The proxy of a guest's screen, which greets and says everything back.
  proxy = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'binary' });
  proxy.on('connection', screen => {
    screen.send(Buffer.from('RFB'));
    screen.on('message', data => screen.send(data));
  });
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  cloud.answer((asked, response) => {
    const console = { type: 'novnc', url: `http://127.0.0.1:${port}/vnc_auto.html?token=t` };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(asked.url.endsWith('/action') ? { console } : {}));
  });
  web = await startConsoleWeb({
    config: configFrom([consoleWebOptions], { DEFAULT: { auth_url: cloud.url, bind_port: 0 } }),
    world: { clock, random: seededRandom(1), log: createLogger({ level: 'error', write: () => {} }) },
  });
  opened = [];
});
afterEach(async () => {
  for (const screen of opened) screen.terminate();
  for (const screen of proxy.clients) screen.terminate();
  await web.stop();
  await new Promise(resolve => proxy.close(resolve));
  await cloud.stop();
});

async function login(): Promise<string> {
  const answer = await fetch(`http://${web.addresses[0]}/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: USER.name, password: USER.password }),
  });
  await answer.text();
  return answer.headers.get('set-cookie')!.split(';')[0]!;
}

/** What a browser is answered: the greeting of the guest's screen, or the status of a refusal. */
async function openScreen(cookie: string): Promise<{ screen: WebSocket; answer: string }> {
  const address = web.addresses[0]!;
  const screen = new WebSocket(`ws://${address}/api/screen/some-server`, ['binary'], {
    headers: { cookie, origin: `http://${address}` },
  });
  opened.push(screen);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  screen.once('message', data => resolve(String(data)));
  screen.once('unexpected-response', (_request, response) => resolve(String(response.statusCode)));
  screen.on('error', reject);
  screen.once('close', () => reject(new Error('the screen is closed')));
  return { screen, answer: await promise };
}

it('goes on for as long as its login, and ends with it although nobody asks for anything', async () => {
  const { screen, answer } = await openScreen(await login());
  expect(answer).toBe('RFB');
  const closed = once(screen, 'close');
  await clock.advance(59 * 60_000);
  const echo = once(screen, 'message');
  screen.send(Buffer.from('key'));
  expect(String((await echo)[0])).toBe('key');
  await clock.advance(60_000 + 2 * LIMITS.sweepMs);
  await closed;
  await expect.poll(() => proxy.clients.size).toBe(0);
});

it('is one of so many of a user, and leaves its place when it closes', async () => {
  const cookie = await login();
  const screens = [];
  for (let n = 0; n < LIMITS.screensOfUserMax; n++) screens.push(await openScreen(cookie));
  expect(new Set(screens.map(({ answer }) => answer))).toEqual(new Set(['RFB']));
  expect((await openScreen(cookie)).answer).toBe('503');
  screens[0]!.screen.close();
  await expect.poll(async () => (await openScreen(cookie)).answer).toBe('RFB');
  expect((await openScreen(cookie)).answer).toBe('503');
});

it('that cannot be had takes no place', async () => {
  const cookie = await login();
  let refusing = true;
  const { port } = proxy.address() as AddressInfo;
  cloud.answer((_asked, response) => {
    const console = { type: 'novnc', url: `http://127.0.0.1:${port}/vnc_auto.html?token=t` };
    response.writeHead(refusing ? 409 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ console }));
  });
  for (let n = 0; n <= LIMITS.screensOfUserMax; n++) expect((await openScreen(cookie)).answer).toBe('502');
  refusing = false;
  await expect.poll(async () => (await openScreen(cookie)).answer).toBe('RFB');
});
