import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@folsom/core';
import { run } from '@folsom/host/run';
import { nodesReport, objectReport } from '@folsom/object-tools';
import { decodeRing, ringOf } from '@folsom/ring';
import { pathHash } from '@folsom/swift';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InitOptions, runInit, serverNames } from './init.ts';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/swift/', import.meta.url));
const HASH = pathHash('changeme');
const ring = ringOf(decodeRing(readFileSync(join(FIXTURES, 'object.ring.gz'))));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swift-tools-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('swift-get-nodes', () => {
  it('prints the places of an object, its handoffs, and how to look there', () => {
    const lines = nodesReport(ring, HASH, ['AUTH_test', 'albums', 'one two'], false).split('\n');
    expect(lines.slice(0, 4)).toEqual(['', 'Account \tAUTH_test', 'Container\talbums', 'Object   \tone two']);
    const hash = HASH.hex('AUTH_test', 'albums', 'one two');
    const partition = ring.partition(HASH.prefix('AUTH_test', 'albums', 'one two'));
    expect(lines).toContain(`Partition\t${partition}`);
    expect(lines).toContain(`Hash       \t${hash}`);
    const [first] = ring.nodes(partition);
    expect(lines).toContain(`Server:Port Device\t${first!.ip}:${first!.port} ${first!.device}`);
    expect(lines.filter(line => line.includes('[Handoff]'))).toHaveLength(3);
    expect(lines).toContain(
      `curl -I -XHEAD "http://${first!.ip}:${first!.port}/${first!.device}/${partition}/AUTH_test/albums/one%20two"`,
    );
    expect(lines).toContain(
      `ssh ${first!.ip} "ls -lah /srv/node/${first!.device}/objects/${partition}/${hash.slice(-3)}/${hash}/"`,
    );
  });
  it('says None for what is not asked', () => {
    expect(nodesReport(ring, HASH, ['a'], false)).toContain('Container\tNone\nObject   \tNone\n');
  });
});

it('swift-object-info tells what a file of the original says, and what is not true', async () => {
  await run(
    ['tar', '--xattrs', '--xattrs-include=user.*', '-xzf', join(FIXTURES, 'devices.tar.gz'), '-C', folder],
    { timeoutMs: 60_000 },
  );
  const objects = join(folder, 'sdb1', 'objects');
  const file = (readdirSync(objects, { recursive: true }) as string[])
    .filter(path => path.endsWith('.data'))
    .map(path => join(objects, path))
    .find(path => readFileSync(path).length === 1024)!;
  const report = objectReport(file, HASH, ring);
  expect(report).toMatch(/^Path: \/AUTH_test\/.+\n {2}Account: AUTH_test\n/);
  expect(report).toMatch(
    /Ring locations:\n( {2}127\.0\.0\.1:\d+ - \/srv\/node\/sdb\d\/objects\/\d+\/\w{3}\/\w{32}\/[\d.]+\.data\n){3}/,
  );
  expect(report).toContain('ETag: c9a34cfc85d982698c6ac89f76071abd (valid)');
  expect(report).toContain('Content-Length: 1024 (valid)');
  const damaged = join(folder, 'damaged.data');
  await run(['cp', '--preserve=xattr', file, damaged], { timeoutMs: 10_000 });
  writeFileSync(damaged, 'short');
  expect(objectReport(damaged, null, null)).toContain(
    "Etag: c9a34cfc85d982698c6ac89f76071abd doesn't match file hash of",
  );
  expect(objectReport(damaged, null, null)).toContain("Content-Length: 1024 doesn't match file length of 5");
});

describe('swift-init', () => {
  it('knows groups and patterns', () => {
    expect(serverNames(['main'])).toEqual([
      'proxy-server',
      'account-server',
      'container-server',
      'object-server',
    ]);
    expect(serverNames(['object'])).toEqual(['object-server']);
    expect(serverNames(['object-*'])).toContain('object-expirer');
    expect(serverNames(['all', 'proxy'])).toHaveLength(15);
  });

  it('starts, shows, refuses to start twice, stops', async () => {
    const swiftDir = join(folder, 'etc');
    mkdirSync(swiftDir);
    for (const name of ['object-server', 'container-server'])
      writeFileSync(join(swiftDir, `${name}.conf`), '[DEFAULT]\n');
    cpSync(join(FIXTURES, 'swift.conf'), join(swiftDir, 'swift.conf'));
    let lines: string[] = [];
    const options: InitOptions = {
      swiftDir,
      runDir: join(folder, 'run'),
      program: () => ['sh', '-c', 'exec sleep 60'],
      env: { PATH: '/usr/bin:/bin' },
      once: false,
      wait: true,
      daemon: true,
      verbose: false,
      number: 0,
      clock: systemClock,
      print: line => lines.push(line),
    };
    const at = (name: string) => join(swiftDir, `${name}.conf`);
    expect(await runInit('status', ['object-server'], options)).toBe(1);
    expect(lines.splice(0)).toEqual(['No object-server running']);
    expect(await runInit('start', ['object-server', 'proxy-server'], options)).toBe(0);
    expect(lines.splice(0)).toEqual([
      `Starting object-server...(${at('object-server')})`,
      'Unable to locate config for proxy-server',
    ]);
    expect(await runInit('status', ['object-server'], options)).toBe(0);
    expect(lines.splice(0)[0]).toMatch(/^object-server running \(\d+ - .*object-server\.conf\)$/);
    await runInit('start', ['object-server'], options);
    expect(lines.splice(0).at(-1)).toBe('object-server already started...');
    const pid = Number(readFileSync(join(folder, 'run', 'object-server.pid'), 'utf8'));
    expect(await runInit('stop', ['object-server'], options)).toBe(0);
    expect(lines).toEqual([
      `Signal object-server  pid: ${pid}  signal: 15`,
      `object-server (${pid}) appears to have stopped`,
    ]);
    lines = [];
    await runInit('start', ['object-server'], options);
    expect(await runInit('reload', ['object-server'], options)).toBe(0);
    expect(lines.filter(line => /^Signal object-server {2}pid: \d+ {2}signal: 1$/.test(line))).toHaveLength(
      1,
    );
    expect(lines.at(-1)).toBe(`Starting object-server...(${at('object-server')})`);
    expect(await runInit('shutdown', ['object-server'], options)).toBe(0);
    lines = [];
    expect(existsSync(join(folder, 'run', 'object-server.pid'))).toBe(false);
    expect(await runInit('start', ['container-server'], { ...options, program: () => ['false'] })).toBe(1);
    expect(await runInit('once', ['object-updater'], { ...options, program: () => ['true'] })).toBe(0);
    expect(lines).toContain(`Running object-updater once...(${at('object-server')})`);
  });
});
