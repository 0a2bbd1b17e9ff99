import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { tempDir } from '@folsom/testing';
import { afterAll, expect, it } from 'vitest';
import { startTestApi } from '../test-api.ts';
import { fingerprintOf } from './keypairs.ts';

const dir = tempDir('folsom-keys');
afterAll(() => dir.remove());

const keygen = await run(['ssh-keygen', '-t', 'ed25519', '-N', '', '-q', '-f', join(dir.path, 'k')], {
  timeoutMs: 30_000,
}).then(
  () => true,
  () => false,
);
needs('ssh-keygen', keygen);

it.skipIf(!keygen)('makes keys that ssh-keygen reads and fingerprints alike', async () => {
  const api = await startTestApi();
  try {
    const made = await api.call('POST', 'os-keypairs', { body: { keypair: { name: 'mine' } } });
    const { private_key, public_key, fingerprint } = made.json.keypair;
    const file = join(dir.path, 'made');
    writeFileSync(file, private_key, { mode: 0o600 });
    writeFileSync(`${file}.2`, public_key);
    const derived = await run(['ssh-keygen', '-y', '-f', file], { timeoutMs: 30_000 });
    expect(public_key.startsWith(derived.stdout.trim().split(' ').slice(0, 2).join(' '))).toBe(true);
    const listed = await run(['ssh-keygen', '-l', '-E', 'md5', '-f', `${file}.2`], { timeoutMs: 30_000 });
    expect(listed.stdout.split(' ')[1]).toBe(`MD5:${fingerprint}`);
    const kept = await api.call('GET', 'os-keypairs/mine');
    expect(kept.json.keypair).toEqual({ name: 'mine', public_key, fingerprint });
  } finally {
    await api.stop();
  }
});

it.each([
  '',
  'ssh-rsa',
  'ssh-rsa !!!',
  'ssh-rsa AAAA',
  'ssh-dss AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==',
  'x'.repeat(20_000),
])('refuses %s as a key', line => {
  expect(() => fingerprintOf(line)).toThrow();
});
