import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { main as receiver } from './programs/nova-rpc-zmq-receiver.ts';
import { main as config } from './programs/openstack-config.ts';

const dir = mkdtempSync(join(tmpdir(), 'openstack-programs-'));
const file = join(dir, 'nova.conf');
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

async function printed(work: () => Promise<number>): Promise<[code: number, out: string, err: string]> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation(text => {
      texts[name] += String(text);
      return true;
    });
  }
  const code = await work();
  return [code, texts.stdout, texts.stderr];
}

it('openstack-config sets, prints and deletes, and leaves the rest of the file and its mode', async () => {
  writeFileSync(file, '# ours\n[DEFAULT]\nverbose = true\n\n[keystone_authtoken]\nadmin_user = nova\n');
  chmodSync(file, 0o640);
  const run = (...argv: string[]) => printed(() => config(argv));
  expect(await run('--set', file, 'DEFAULT', 'libvirt_type', 'qemu')).toEqual([0, '', '']);
  expect(await run('--set', file, 'DEFAULT', 'verbose', 'false')).toEqual([0, '', '']);
  expect(await run('--set', file, 'new', 'empty')).toEqual([0, '', '']);
  expect(readFileSync(file, 'utf8')).toBe(
    '# ours\n[DEFAULT]\nlibvirt_type = qemu\nverbose = false\n\n[keystone_authtoken]\nadmin_user = nova\n\n[new]\nempty = \n',
  );
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(await run('--get', file, 'keystone_authtoken', 'admin_user')).toEqual([0, 'nova\n', '']);
  expect(await run('--get', file, 'DEFAULT', 'none')).toEqual([1, '', 'Parameter not found: none\n']);
  expect(await run('--get', file, 'none', 'x')).toEqual([1, '', 'Section not found: none\n']);
  expect((await run('--has', file, 'DEFAULT', 'verbose'))[0]).toBe(0);
  expect((await run('--has', file, 'none'))[0]).toBe(1);
  expect((await run('--del', file, 'DEFAULT', 'verbose'))[0]).toBe(0);
  expect((await run('--del', file, 'new'))[0]).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(
    '# ours\n[DEFAULT]\nlibvirt_type = qemu\n\n[keystone_authtoken]\nadmin_user = nova\n\n',
  );
  expect((await run('--set', file, 'DEFAULT', 'x', 'a\n[b]'))[0]).toBe(1);
  const [code, , err] = await run('--set', file);
  expect([code, err.split('\n')[0]]).toEqual([
    1,
    'Usage: openstack-config --set CONFIG_FILE SECTION PARAMETER [VALUE]',
  ]);
});

it('nova-rpc-zmq-receiver says that RabbitMQ is the broker', async () => {
  const [code, , err] = await printed(() => receiver());
  expect([code, err]).toEqual([1, expect.stringContaining('RabbitMQ is the broker')]);
});
