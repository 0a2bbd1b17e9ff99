import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dhcpHost, dnsmasq, withoutGateway } from './dnsmasq.ts';
import { run } from './run.ts';
import { namespaceRunner } from './runner.ts';

const NAME = `dns-${process.pid % 100_000}`;
const possible = needs('root and dnsmasq', process.getuid?.() === 0 && existsSync('/usr/sbin/dnsmasq'));
if (!possible) console.warn('dnsmasq: not root, or not installed; host tests are left out');

describe.skipIf(!possible)('the DHCP server of a bridge', () => {
  const host = namespaceRunner(NAME);
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dnsmasq-'));
    await run(['ip', 'netns', 'add', NAME], { timeoutMs: 5000 });
    for (const argv of [
      ['link', 'set', 'lo', 'up'],
      ['link', 'add', 'br0', 'type', 'bridge'],
      ['addr', 'add', '10.9.0.1/24', 'dev', 'br0'],
      ['link', 'set', 'br0', 'up'],
    ])
      await host(['ip', ...argv], { timeoutMs: 5000 });
  });
  afterAll(async () => {
    await run(['ip', 'netns', 'del', NAME], { timeoutMs: 5000 });
    await rm(directory, { recursive: true });
  });

  it('is started once, told of changes, and started anew as often as it has to forget', async () => {
    const server = dnsmasq(host, {
      directory,
      device: 'br0',
      listenAddress: '10.9.0.1',
      label: 'private',
      rangeStart: '10.9.0.2',
      netmask: '255.255.255.0',
      leaseSeconds: 120,
      leasesMax: 256,
      domain: 'novalocal',
      script: '/bin/true',
      env: { NETWORK_ID: '1' },
      configFile: '',
      server: null,
      ownOptions: true,
      asRoot: true,
    });
    await server.update(['fa:16:3e:00:00:01,one.novalocal,10.9.0.2']);
    const first = await server.pid();
    expect(first).toBeGreaterThan(1);
    await server.update([]);
    expect(await server.pid()).toBe(first);
    expect(await readFile(server.hostsFile, 'utf8')).toBe('');
    const seen = new Set([first]);
    for (let round = 0; round < 10; round++) {
      await server.update([`fa:16:3e:00:00:0${round},x.novalocal,10.9.0.3`], { forget: true });
      seen.add(await server.pid());
    }
    expect(seen.size).toBe(11);
    const card = { mac: 'fa:16:3e:00:00:01', hostname: 'two', domain: 'novalocal', address: '10.9.0.4' };
    await server.update([dhcpHost({ ...card, tag: 'NW-7' })], { cards: [withoutGateway('NW-7')] });
    expect(await readFile(server.hostsFile, 'utf8')).toBe(
      'fa:16:3e:00:00:01,set:NW-7,two.novalocal,10.9.0.4\n',
    );
    expect(await readFile(join(directory, 'nova-br0.opts'), 'utf8')).toBe('tag:NW-7,option:router\n');
    await server.stop();
    expect(await server.pid()).toBeUndefined();
  });
});
