import { spawn } from 'node:child_process';
import { needs } from '@folsom/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addressesOf,
  ensureAddress,
  ensureBridge,
  ensureFirstAddress,
  linkInfo,
  removeAddress,
  removeBridge,
} from './bridges.ts';
import { run } from './run.ts';
import { namespaceRunner } from './runner.ts';

const NAME = `brt-${process.pid}`;
const host = namespaceRunner(NAME);
const root = needs('root', process.getuid?.() === 0);
if (!root) console.warn('bridges: not root, host tests are left out');
const inside = (...argv: string[]) => host(argv, { timeoutMs: 30_000 });
const routes = async () => (await inside('ip', 'route')).stdout;
const texts = async (device: string) =>
  (await addressesOf(host, device)).map(info => `${info.local}/${info.prefixlen}`);

/** Connects to itself by the host's address again and again, and says what went wrong. */
const TALKER = `
  const net = require('node:net');
  const server = net.createServer(socket => socket.end('hello'));
  server.listen(0, '0.0.0.0', () => {
    let talks = 0;
    const talk = () => {
      const socket = net.connect(server.address().port, '192.0.2.5', () => {
        if (++talks === 100) console.log('talking');
      });
      socket.on('error', error => console.log(error.message));
      socket.on('close', () => setImmediate(talk));
      socket.resume();
    };
    talk();
  });
`;

describe.skipIf(!root)('a bridge over the card of the host', () => {
  beforeAll(async () => {
    await run(['ip', 'netns', 'add', NAME], { timeoutMs: 30_000 });
    await inside('ip', 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'far');
    for (const device of ['eth1', 'far']) await inside('ip', 'link', 'set', device, 'up');
    await inside('ip', 'addr', 'add', '192.0.2.5/24', 'brd', '192.0.2.255', 'dev', 'eth1');
    await inside('ip', 'route', 'add', 'default', 'via', '192.0.2.1');
  });
  afterAll(async () => {
    await run(['ip', 'netns', 'del', NAME], { timeoutMs: 30_000 });
  });

  it('takes over its addresses and routes, and gives them back; done twice it changes nothing', async () => {
    const gateway = { address: '10.0.0.1', prefix: 24, broadcast: '10.0.0.255' };
    for (let round = 0; round < 2; round++) {
      await ensureBridge(host, 'br9', 'eth1');
      await ensureFirstAddress(host, 'br9', gateway);
      expect((await linkInfo(host, 'eth1'))?.master).toBe('br9');
      expect(await texts('eth1')).toEqual([]);
      expect(await texts('br9')).toEqual(['10.0.0.1/24', '192.0.2.5/24']);
      expect(await routes()).toContain('default via 192.0.2.1 dev br9');
    }
    await removeBridge(host, 'br9', 'eth1', '10.0.0.1');
    await removeBridge(host, 'br9', 'eth1', '10.0.0.1');
    expect(await linkInfo(host, 'br9')).toBeUndefined();
    expect(await texts('eth1')).toEqual(['192.0.2.5/24']);
    expect(await routes()).toContain('default via 192.0.2.1 dev eth1');
  });

  it('takes them over without a moment in which this host cannot reach itself by them', async () => {
    await inside('ip', 'link', 'set', 'lo', 'up');
    // With a way out, an address that is missing for a moment is looked for there instead of failing at once.
    await inside('ip', 'route', 'del', 'default');
    const talker = spawn('ip', ['netns', 'exec', NAME, process.execPath, '-e', TALKER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    talker.stdout.on('data', text => {
      said += text;
    });
    try {
      await expect.poll(() => said).toContain('talking');
      for (let round = 0; round < 3; round++) {
        await ensureBridge(host, 'br9', 'eth1');
        await ensureFirstAddress(host, 'br9', { address: '10.0.0.1', prefix: 24, broadcast: '10.0.0.255' });
        await removeBridge(host, 'br9', 'eth1', '10.0.0.1');
      }
      expect(said.split('\n').slice(1).filter(Boolean)).toEqual([]);
    } finally {
      talker.kill('SIGKILL');
    }
    expect((await inside('ip', 'addr', 'show', 'lo')).stdout).not.toContain('192.0.2.5');
  });

  it('stands alone without a card, and refuses one that does not exist', async () => {
    await ensureBridge(host, 'br8', null);
    expect((await linkInfo(host, 'br8'))?.ifname).toBe('br8');
    await removeBridge(host, 'br8', null, null);
    await expect(ensureBridge(host, 'br7', 'nosuch0')).rejects.toThrow('does not exist');
  });

  it('adds and removes an address however often', async () => {
    for (let round = 0; round < 2; round++) await ensureAddress(host, 'lo', '169.254.169.254/32', 'link');
    expect((await inside('ip', 'addr', 'show', 'lo')).stdout).toContain('169.254.169.254/32');
    for (let round = 0; round < 2; round++) await removeAddress(host, 'lo', '169.254.169.254/32');
    expect((await inside('ip', 'addr', 'show', 'lo')).stdout).not.toContain('169.254');
  });
});
