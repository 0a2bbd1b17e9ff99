import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'folsom-setup-'));
  mkdirSync(join(tree, 'deploy'));
  for (const file of ['package.json', 'pnpm-lock.yaml', 'deploy/package.json', 'deploy/setup.mjs'])
    cpSync(join(ROOT, file), join(tree, file));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

/** What `npm start` does first, with nothing of this machine's caches. */
const setup = (env: Record<string, string>) =>
  new Promise<{ code: number; stderr: string }>(resolve => {
    const argv = [join(tree, 'deploy', 'setup.mjs')];
    execFile(process.execPath, argv, { env: { HOME: tree, ...env } }, (error, _stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stderr }),
    );
  });
/** A registry that nobody reaches, given up at once. */
const offline = () => ({
  PATH: process.env.PATH ?? '',
  npm_config_cache: join(tree, 'cache'),
  npm_config_registry: 'http://127.0.0.1:1/',
  npm_config_fetch_retries: '0',
});

it('says in one sentence that packages cannot be fetched without a network', async () => {
  const { code, stderr } = await setup(offline());
  expect(code).toBe(1);
  const [progress, ...said] = stderr.trim().split('\n');
  expect(progress).toMatch(/^Installing the packages the project needs/);
  expect(said).toEqual([
    expect.stringMatching(
      /^Could not install: the package registry cannot be reached \(ECONNREFUSED\)\. .*node_modules/,
    ),
  ]);
});

it('installs once, and needs neither network nor package manager until other packages are wanted', async () => {
  const bin = join(tree, 'bin');
  mkdirSync(bin);
  const calls = join(tree, 'calls');
  const npx = `#!/bin/sh\n/bin/mkdir -p node_modules\necho "$@" >> ${calls}\n`;
  writeFileSync(join(bin, 'npx'), npx, { mode: 0o755 });
  const asked = () => readFileSync(calls, 'utf8').trim().split('\n').length;
  expect((await setup({ PATH: bin })).code).toBe(0);
  expect(readFileSync(calls, 'utf8')).toMatch(/^--yes pnpm@[\d.]+ install --frozen-lockfile\n$/);
  expect(await setup({ PATH: join(tree, 'nothing') })).toEqual({ code: 0, stderr: '' });
  expect(asked()).toBe(1);
  writeFileSync(join(tree, 'pnpm-lock.yaml'), '# another\n', { flag: 'a' });
  expect((await setup({ PATH: bin })).code).toBe(0);
  expect(asked()).toBe(2);
});

it('says what is missing where there is no npx', async () => {
  const { code, stderr } = await setup({ PATH: join(tree, 'nothing') });
  expect(code).toBe(1);
  expect(stderr).toMatch(/\nCould not install: npx pnpm@[\d.]+ spawn npx ENOENT\n$/);
});
