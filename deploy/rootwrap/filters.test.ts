import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseIni } from '@folsom/config';
import { needs } from '@folsom/core/testing';
import { helperRunner, rootHelper } from '@folsom/host/as-root';
import { afterAll, describe, expect, it } from 'vitest';
import { main } from '../programs/nova-rootwrap.ts';
import { filtersIn, loadFilters, matchFilter } from './filters.ts';

const dir = mkdtempSync(join(tmpdir(), 'rootwrap-'));
afterAll(() => rmSync(dir, { recursive: true }));

const filters = filtersIn(
  parseIni(
    `[Filters]
true = CommandFilter, /bin/true, root
cat = RegExpFilter, /bin/cat, nova, cat, /var/log/[a-z]+
here = ReadFileFilter, /etc/hostname
dns = DnsmasqFilter, /usr/sbin/dnsmasq, root
node = KillFilter, root, ${process.execPath}, -9, -HUP
unknown = WriteAnythingFilter, /bin/dd
broken = RegExpFilter, /bin/ls, root, ls, (
`,
    'x.filters',
  ),
);
const runs = (...words: string[]) => matchFilter(filters, words)?.command(words);

describe('filters', () => {
  it('allow a program by its name, under its own path', () => {
    expect(runs('true', '--x')).toEqual({ argv: ['/bin/true', '--x'], user: 'root' });
    expect(runs('/tmp/true')).toBeUndefined();
    expect(runs('false')).toBeUndefined();
  });
  it('allow words that match whole, each in its place', () => {
    expect(runs('cat', '/var/log/syslog')).toEqual({ argv: ['/bin/cat', '/var/log/syslog'], user: 'nova' });
    for (const words of [['cat'], ['cat', '/var/log/../x'], ['cat', '/var/log/a', '/etc/shadow']])
      expect(runs(...words)).toBeUndefined();
    expect(runs('ls', '(')).toBeUndefined();
  });
  it('allow one file to be read', () => {
    expect(runs('cat', '/etc/hostname')?.user).toBe('root');
    expect(runs('cat', '/etc/hostname', '/etc/shadow')).toBeUndefined();
  });
  it('give dnsmasq the variables of its lease script and no others', () => {
    expect(runs('FLAGFILE=/etc/nova/nova.conf', 'NETWORK_ID=1', 'dnsmasq', '--x')).toEqual({
      argv: ['/usr/sbin/dnsmasq', '--x'],
      user: 'root',
      env: { FLAGFILE: '/etc/nova/nova.conf', NETWORK_ID: '1' },
    });
    expect(runs('FLAGFILE=x', 'LD_PRELOAD=/tmp/x.so', 'dnsmasq')).toBeUndefined();
    expect(runs('FLAGFILE=x')).toBeUndefined();
  });
  it('allow a signal to processes of one program', () => {
    expect(runs('kill', '-HUP', String(process.pid))?.argv).toEqual([
      '/bin/kill',
      '-HUP',
      String(process.pid),
    ]);
    for (const words of [
      ['-TERM', String(process.pid)],
      [String(process.pid)],
      ['-9', '1'],
      ['-9', '-1'],
      ['-9', '0'],
    ])
      expect(runs('kill', ...words)).toBeUndefined();
  });
});

describe.skipIf(!needs('root', process.getuid?.() === 0))('files', () => {
  it('count only where root alone may write them', () => {
    writeFileSync(join(dir, 'a.filters'), '[Filters]\ntrue = CommandFilter, /bin/true, root\n', {
      mode: 0o644,
    });
    writeFileSync(join(dir, 'b.filters'), '[Filters]\nsh = CommandFilter, /bin/sh, root\n');
    chmodSync(join(dir, 'b.filters'), 0o666);
    expect(loadFilters([dir, '/nowhere']).map(({ path }) => path)).toEqual(['/bin/true']);
    chmodSync(dir, 0o777);
    expect(loadFilters([dir])).toEqual([]);
    chmodSync(dir, 0o755);
  });
  it('are what nova-rootwrap asks, with the exit codes of the original', async () => {
    const conf = join(dir, 'rootwrap.conf');
    writeFileSync(conf, `[DEFAULT]\nfilters_path = ${dir}\n`);
    expect(await main([conf, 'true'])).toBe(0);
    expect(await main([conf, 'sh', '-c', 'true'])).toBe(99);
    expect(await main([conf])).toBe(98);
    expect(await main(['/nowhere.conf', 'true'])).toBe(97);
  });
});

it('a daemon that is not root has its commands run by the helper', async () => {
  expect(rootHelper('sudo', null)).toEqual(['sudo']);
  expect(rootHelper('sudo', '/etc/nova/rootwrap.conf')).toEqual([
    'sudo',
    'nova-rootwrap',
    '/etc/nova/rootwrap.conf',
  ]);
  expect(rootHelper('sudo nova-rootwrap /x', '/etc/nova/rootwrap.conf')).toEqual([
    'sudo',
    'nova-rootwrap',
    '/x',
  ]);
  const runner = helperRunner(['echo', 'asked:']);
  const { stdout } = await runner(['env', 'FLAGFILE=a', 'NETWORK_ID=1', 'dnsmasq'], { timeoutMs: 5000 });
  expect(stdout).toBe('asked: FLAGFILE=a NETWORK_ID=1 dnsmasq\n');
});

it('the filters that are installed allow what the daemons run', () => {
  const folder = fileURLToPath(new URL('rootwrap.d', import.meta.url));
  const installed = loadFilters([folder], () => true);
  for (const words of [
    ['ip', '-j', 'addr', 'show', 'dev', 'br100'],
    ['sysctl', '-qw', 'net.ipv4.ip_forward=1'],
    ['iptables-restore', '-w', '10', '--noflush'],
    ['ip6tables-restore', '-w', '10', '--noflush'],
    ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1'],
    ['sysctl', '-qw', 'net.ipv6.conf.br100.disable_ipv6=0'],
    ['sysctl', '-qw', 'net.ipv6.conf.eth0.accept_ra=2'],
    ['radvd', '-C', '/x/nova-ra-br100.conf', '-p', '/x/nova-ra-br100.pid'],
    ['FLAGFILE=', 'NETWORK_ID=1', 'dnsmasq', '--strict-order'],
  ])
    expect(matchFilter(installed, words), words.join(' ')).toBeDefined();
  expect(matchFilter(installed, ['sysctl', '-qw', 'kernel.core_pattern=|/tmp/x'])).toBeUndefined();
});
