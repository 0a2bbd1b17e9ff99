import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConf } from '@folsom/swift';
import { expect, it } from 'vitest';
import { SWIFT_FILES } from '../packages/swift-files.ts';
import { expirerSample, proxySample, STORAGE, type StorageKind, storageSample } from './swift-samples.mjs';

const DEPLOY = fileURLToPath(new URL('..', import.meta.url));
const KINDS = Object.keys(STORAGE) as StorageKind[];
const NAMES = [
  'proxy-server.conf',
  'object-expirer.conf',
  ...KINDS.map(kind => `${kind}-server.conf`),
].sort();

/** The files that `deploy/containers/configure.mjs` writes. */
function ofContainers(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'samples-'));
  try {
    const program = join(DEPLOY, 'containers', 'configure.mjs');
    const args = ['--out', folder, '--env', join(folder, 'env'), '--host-ip', '192.0.2.1'];
    execFileSync(process.execPath, [program, ...args], { timeout: 60_000 });
    return Object.fromEntries(NAMES.map(name => [name, readFileSync(join(folder, name), 'utf8')]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a file says by section, without its places and addresses. */
function said(text: string) {
  const OWN =
    /^(bind_|devices|mount_check|swift_dir|recon_cache_path|memcache_servers|auth_|admin_|redis_url)/;
  const conf = parseConf(text);
  return Object.fromEntries(
    [...text.matchAll(/^\[(.+)\]$/gm)].map(([, name]) => [
      name,
      Object.entries(conf.section(name!).values).filter(([option]) => !OWN.test(option)),
    ]),
  );
}

it('packages and containers write the same files, each with its own places', () => {
  const samples: Record<string, string> = {
    'proxy-server.conf': proxySample({ DEFAULT: [] }),
    'object-expirer.conf': expirerSample(),
    ...Object.fromEntries(KINDS.map(kind => [`${kind}-server.conf`, storageSample(kind, { DEFAULT: [] })])),
  };
  const packaged = Object.fromEntries(SWIFT_FILES.map(({ path, text }) => [basename(path), text]));
  const contained = ofContainers();
  for (const name of NAMES) {
    expect([name, said(packaged[name]!)]).toEqual([name, said(samples[name]!)]);
    expect([name, said(contained[name]!)]).toEqual([name, said(samples[name]!)]);
  }
});

it('every name of a pipeline has its section', () => {
  for (const text of [proxySample(), expirerSample(), ...KINDS.map(kind => storageSample(kind))]) {
    const names = parseConf(text).section('pipeline:main').values.pipeline!.split(' ');
    const app = names.pop()!;
    for (const section of [...names.map(name => `filter:${name}`), `app:${app}`])
      expect(text).toContain(`\n[${section}]\n`);
  }
});

it('no other file of an installation has a pipeline of its own', () => {
  const files = globSync('**/*.{ts,mjs,conf,yml}', { cwd: DEPLOY, exclude: name => name === 'node_modules' });
  expect(files.length).toBeGreaterThan(50);
  // Lines of a file that is written, not names that a section of one is compared with.
  const others = files
    .filter(path => !path.endsWith('.test.ts') && path !== join('conf', 'swift-samples.mjs'))
    .filter(path => /use = egg:swift#/.test(readFileSync(join(DEPLOY, path), 'utf8')));
  expect(others).toEqual([]);
});
