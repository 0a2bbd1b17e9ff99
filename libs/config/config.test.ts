import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@folsom/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bool,
  ConfigError,
  commonOptions,
  configFrom,
  float,
  int,
  list,
  loadConfig,
  multi,
  notHonoured,
  options,
  parseBool,
  parseIni,
  pastePipeline,
  pasteSection,
  port,
  QUIET,
  secret,
  str,
} from './index.ts';

const nova = options('DEFAULT', {
  my_ip: str('127.0.0.1', 'address of this host'),
  state_path: str('/var/lib/nova'),
  sqlite_db: str('nova.sqlite'),
  sql_connection: secret('sqlite:///$state_path/$sqlite_db', 'database'),
  glance_api_servers: list(['$my_ip:9292']),
  osapi_compute_extension: multi(['standard'], 'extension factories'),
  osapi_compute_listen_port: port(8774),
  force_dhcp_release: bool(false),
  cpu_allocation_ratio: float(16),
  flat_interface: str(null),
  ec2_workers: int(null),
  libvirt_type: str('kvm', 'hypervisor', { choices: ['kvm', 'qemu', 'lxc'] }),
});
const authtoken = options('keystone_authtoken', {
  auth_host: str('127.0.0.1'),
  auth_port: port(35357),
  admin_password: secret(null),
  insecure: bool(false),
});

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-test-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

function load(files: string[], argv: string[] = []) {
  const lines: string[] = [];
  const log = createLogger({ write: text => lines.push(text) });
  const config = loadConfig({
    program: 'nova-api',
    declarations: [commonOptions, nova, authtoken],
    argv: [...files.flatMap(path => ['--config-file', path]), ...argv],
    log,
  });
  return { config, lines };
}

describe('loadConfig', () => {
  it('gives defaults, interpolated', () => {
    const values = load([]).config.of(nova);
    expect(values.sql_connection).toBe('sqlite:////var/lib/nova/nova.sqlite');
    expect(values.glance_api_servers).toEqual(['127.0.0.1:9292']);
    expect(values.flat_interface).toBeNull();
    expect(Object.isFrozen(values)).toBe(true);
  });

  it('lets later files, directories and the command line win', () => {
    const first = file('a.conf', '[DEFAULT]\nmy_ip = 192.0.2.1\nstate_path=/a\nforce_dhcp_release=on\n');
    const second = file('b.conf', '[DEFAULT]\nmy_ip: "192.0.2.2"\n');
    mkdirSync(join(dir, 'conf.d'), { recursive: true });
    file('conf.d/20.conf', '[DEFAULT]\nec2_workers = 4\n');
    file('conf.d/10.conf', '[DEFAULT]\nec2_workers = 3\n');
    const { config } = load(
      [first, second],
      ['--config-dir', join(dir, 'conf.d'), '--noforce-dhcp-release', '--state_path=/cli', 'rest'],
    );
    expect(config.of(nova)).toMatchObject({
      my_ip: '192.0.2.2',
      glance_api_servers: ['192.0.2.2:9292'],
      state_path: '/cli',
      sql_connection: 'sqlite:////cli/nova.sqlite',
      force_dhcp_release: false,
      ec2_workers: 4,
    });
    expect(config.rest).toEqual(['rest']);
    expect(config.files.map(path => path.slice(dir.length))).toEqual([
      '/a.conf',
      '/b.conf',
      '/conf.d/10.conf',
      '/conf.d/20.conf',
    ]);
  });

  it('adds up multi-valued options and joins continuation lines', () => {
    const path = file(
      'multi.conf',
      '[DEFAULT]\nosapi_compute_extension=one\nosapi_compute_extension=two\nglance_api_servers = a:1,\n   b:2\n',
    );
    const values = load([path], ['--osapi-compute-extension', 'three']).config.of(nova);
    expect(values.osapi_compute_extension).toEqual(['one', 'two', 'three']);
    expect(values.glance_api_servers).toEqual(['a:1', 'b:2']);
  });

  it('keeps what names no option, and unescapes $$', () => {
    const path = file(
      'dollar.conf',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the braces belong to the file
      '[DEFAULT]\nflat_interface = $(tenant_id)s-$nowhere-$$x-${my_ip}\n[keystone_authtoken]\nadmin_password=a#b;c\n',
    );
    const { config } = load([path]);
    expect(config.of(nova).flat_interface).toBe('$(tenant_id)s-$nowhere-$x-127.0.0.1');
    expect(config.of(authtoken).admin_password).toBe('a#b;c');
  });

  it.each([
    [
      'osapi_compute_listen_port = http',
      /bad\.conf:2: option osapi_compute_listen_port must be a whole number/,
    ],
    ['osapi_compute_listen_port = 70000', /at most 65535/],
    ['force_dhcp_release = maybe', /bad\.conf:2: option force_dhcp_release must be a boolean/],
    ['force_dhcp_release =', /must be a boolean/],
    ['cpu_allocation_ratio = 1,5', /must be a number/],
    ['libvirt_type = vmware', /must be one of kvm, qemu, lxc/],
    ['nonsense', /bad\.conf:2: neither a section, an option nor a comment: "nonsense"/],
    ['[broken', /section header/],
    ['my_ip = $state_path\nstate_path = $my_ip', /refers to itself/],
  ])('refuses %j in one sentence', (text, message) => {
    const path = file('bad.conf', `[DEFAULT]\n${text}\n`);
    expect(() => load([path])).toThrow(ConfigError);
    expect(() => load([path])).toThrow(message);
  });

  it('refuses options outside of a section, unreadable files and unknown command-line options', () => {
    expect(() => load([file('none.conf', 'my_ip=1\n')])).toThrow(/none\.conf:1: an option before the first/);
    expect(() => load([join(dir, 'missing.conf')])).toThrow(/no such file/);
    expect(() => load([], ['--what=1'])).toThrow(/no such option: --what/);
    expect(() => load([], ['--my-ip'])).toThrow(/--my-ip requires a value/);
    expect(() => load([], ['--s=1'])).toThrow(
      /ambiguous option: --s \(--sql-connection, --sqlite-db, --state-path, --syslog-log-facility\?\)/,
    );
    expect(load([], ['--my=192.0.2.4']).config.of(nova).my_ip).toBe('192.0.2.4');
  });

  it('never shows a secret', () => {
    const path = file('secret.conf', '[keystone_authtoken]\nadmin_password = swordfish\nhidden = x\n');
    const { config, lines } = load([path], ['--help']);
    expect(config.wants).toBe('help');
    const read = load([path]).config;
    expect(JSON.stringify(read.dump()) + read.help() + lines.join('')).not.toContain('swordfish');
    expect(read.dump().keystone_authtoken?.admin_password).toBe('***');
    expect(config.help()).toMatch(/--my_ip=MY_IP\s+address of this host \(default: 127\.0\.0\.1\)/);
    expect(config.help()).toContain('--keystone_authtoken-auth_host');
  });

  it('keeps unknown options and warns once each', () => {
    const path = file('unknown.conf', '[DEFAULT]\nstrange=1\nstrange=2\n[other]\nname = x\n');
    const { config, lines } = load([path]);
    expect(config.raw('DEFAULT', 'strange')).toEqual(['1', '2']);
    expect(config.unknown.map(item => `${item.group}.${item.name}`)).toEqual([
      'DEFAULT.strange',
      'other.name',
    ]);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('unknown.conf:2: unknown option strange');
  });

  it('names each option without effect once, with the reason, and warns where its value would have changed something', () => {
    const path = file(
      'unused.conf',
      '[DEFAULT]\nmonkey_patch=False\npublish_errors = yes\nbackdoor_port=1\nmonkey_path=1\n[ldap]\nurl=ldap://x\n',
    );
    const lines: { level: string; message: string }[] = [];
    loadConfig({
      program: 'p',
      declarations: [nova],
      notHonoured: [
        ...notHonoured('DEFAULT', 'no class is loaded', { monkey_patch: false, publish_errors: false }),
        ...notHonoured('DEFAULT', 'it is inside', { backdoor_port: null, unset: 'x' }, QUIET),
        ...notHonoured('ldap', 'there is no directory', { url: 'ldap://localhost' }),
      ],
      argv: ['--config-file', path, '--nomonkey_patch'],
      log: createLogger({ write: line => lines.push(JSON.parse(line)) }),
    });
    expect(lines.map(({ level, message }) => `${level} ${message.replace(path, 'FILE')}`)).toEqual([
      'info command line, --monkey_patch: option monkey_patch has no effect: no class is loaded',
      'warn FILE:3: option publish_errors has no effect: no class is loaded',
      'info FILE:4: option backdoor_port has no effect: it is inside',
      'warn FILE:7: option [ldap] url has no effect: there is no directory',
      'warn FILE:5: unknown option monkey_path',
    ]);
  });

  it('answers Qpid settings with one sentence about RabbitMQ', () => {
    const path = file(
      'qpid.conf',
      '[DEFAULT]\n# Qpid\nrpc_backend = nova.openstack.common.rpc.impl_qpid\nqpid_hostname = 192.0.2.6\n',
    );
    const { lines } = load([path]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/Qpid settings are not used: rpc_backend \(line 3\), qpid_hostname \(line 4\)/);
    expect(lines[0]).toContain('RabbitMQ is the broker');
  });

  it('takes facts of the machine as defaults of lowest rank but above the declaration', () => {
    expect(configFrom([nova], {}, { facts: { my_ip: '192.0.2.9' } }).of(nova).glance_api_servers).toEqual([
      '192.0.2.9:9292',
    ]);
    expect(
      configFrom([nova], { DEFAULT: { my_ip: '192.0.2.1' } }, { facts: { my_ip: 'x' } }).of(nova).my_ip,
    ).toBe('192.0.2.1');
  });
});

it('parses booleans strictly (CVE-2014-7144, CVE-2015-1852)', () => {
  expect(['True', 'yes', '1', 'ON'].map(parseBool)).toEqual([true, true, true, true]);
  expect(['False', 'no', '0', 'off'].map(parseBool)).toEqual([false, false, false, false]);
  expect(['', 'T', 'enabled', '2', 'None'].map(parseBool)).toEqual(Array(5).fill(undefined));
});

it('reads paste files', () => {
  const ini = parseIni(
    `[DEFAULT]
bind_port = 8080 ; the proxy
user = swift
[pipeline:main]
pipeline = healthcheck cache
    # tempurl
    proxy-server
[filter:cache]
use = egg:swift#memcache
set log_name = cache
set user = %(user)s-x
memcache_servers = %(here)s/socket
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
`,
    '/etc/swift/proxy-server.conf',
  );
  expect(pastePipeline(ini, 'main')).toEqual(['healthcheck', 'cache', 'proxy-server']);
  expect(ini.section('filter:cache')?.entries.map(entry => entry.line)).toEqual([9, 10, 11, 12]);
  const app = pasteSection(ini, 'app:proxy-server');
  expect(app?.use).toBe('egg:swift#proxy');
  expect(app?.settings).toEqual({ bind_port: '8080', user: 'swift', allow_account_management: 'true' });
  const cache = pasteSection(ini, 'filter:cache', { swift_dir: '/etc/swift' });
  expect(cache?.locals).toEqual({ memcache_servers: '/etc/swift/socket' });
  expect(cache?.globals).toMatchObject({ log_name: 'cache', swift_dir: '/etc/swift', user: 'swift-x' });
  expect(pasteSection(ini, 'filter:none')).toBeUndefined();
});
