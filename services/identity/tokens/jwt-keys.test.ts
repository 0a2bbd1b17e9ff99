import { chmodSync, existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@folsom/core';
import { eventually, fakeClock, tempDir } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestIdentity } from '../test-identity.ts';
import { forgetRetiredKeys, openTokenKeys, rotateTokenKeys } from './jwt-keys.ts';

let dir: { path: string; remove(): void };
let keys: string;
beforeEach(() => {
  dir = tempDir('token-keys');
  keys = join(dir.path, 'keys');
});
afterEach(() => dir.remove());

it('makes the first pair itself, closed to others', () => {
  const opened = openTokenKeys(keys);
  const { kid } = opened.signing();
  expect(statSync(keys).mode & 0o777).toBe(0o700);
  expect(statSync(join(keys, `${kid}.key`)).mode & 0o777).toBe(0o600);
  expect(Object.keys(opened.list())).toEqual([kid]);
  expect(opened.list()[kid]).toContain('BEGIN PUBLIC KEY');
  expect(openTokenKeys(keys).signing().kid).toBe(kid);
});

it('refuses a private key that others could read', () => {
  const { kid } = openTokenKeys(keys).signing();
  chmodSync(join(keys, `${kid}.key`), 0o644);
  expect(() => openTokenKeys(keys)).toThrow(/others can read/);
});

it('says in one sentence what is wrong with the place', () => {
  writeFileSync(join(dir.path, 'file'), '');
  expect(() => openTokenKeys(join(dir.path, 'file', 'keys'))).toThrow(/cannot be made/);
});

it('rotates: the old private key is gone, the old public one goes when its tokens have', () => {
  const clock = fakeClock(systemClock.now());
  const old = openTokenKeys(keys).signing().kid;
  const opened = openTokenKeys(keys);
  const next = rotateTokenKeys(keys, clock);
  expect(existsSync(join(keys, `${old}.key`))).toBe(false);
  opened.refresh();
  expect(opened.signing().kid).toBe(next);
  expect(opened.publicKey(old)).toBeDefined();
  expect(forgetRetiredKeys(keys, 60_000, clock)).toEqual([]);
  const past = clock.now() / 1000 - 61;
  utimesSync(join(keys, `${old}.pub`), past, past);
  expect(forgetRetiredKeys(keys, 60_000, clock)).toEqual([old]);
  opened.refresh();
  expect(opened.publicKey(old)).toBeUndefined();
  expect(readFileSync(join(keys, 'current'), 'utf8').trim()).toBe(next);
});

it('lets a running service go on: old tokens stay good, new ones have the new key', async () => {
  const cloud = await startTestIdentity({ format: 'JWT', settings: { signing: { jwt_key_dir: keys } } });
  try {
    await cloud.person('anna');
    const before = await cloud.login('anna');
    const kid = rotateTokenKeys(keys, systemClock);
    let after = before;
    await eventually(async () => {
      after = await cloud.login('anna');
      return JSON.parse(Buffer.from(after.split('.')[0]!, 'base64url').toString()).kid;
    }).toBe(kid);
    for (const token of [before, after]) {
      expect((await cloud.admin('GET', `/tokens/${token}`)).status).toBe(200);
    }
    expect((await cloud.public('GET', '/OS-FOLSOM/token-keys')).json.keys).toHaveLength(2);
  } finally {
    await cloud.stop();
  }
});
