import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confinement, runConfined } from './confined.ts';

const kept = await confinement();
if (kept.kind !== 'sealed') console.warn(`skipped: ${kept.reason}`);

describe.skipIf(!needs('namespaces for image tools', kept.kind === 'sealed'))('a confined program', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'confined test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const sh = (script: string, files: { path: string; write?: boolean }[] = []) =>
    runConfined(['sh', '-c', script], { files, timeoutMs: 20_000, allowedCodes: 'any' });

  it('opens its files and nothing else, and writes only where it may', async () => {
    const [mine, other, out] = ['mine', 'other', 'out'].map(name => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(mine, 'mine', { mode: 0o600 });
    await writeFile(other, 'other');
    await writeFile(out, '', { mode: 0o600 });
    const files = [{ path: mine }, { path: out, write: true }];
    const { stdout } = await sh(`cat '${mine}' && cat '${mine}' > '${out}'`, files);
    expect(stdout).toBe('mine');
    expect(await readFile(out, 'utf8')).toBe('mine');
    expect((await sh(`echo x > '${mine}'`, files)).code).not.toBe(0);
    expect((await sh(`cat '${other}'`, files)).code).not.toBe(0);
    for (const path of ['/etc/passwd', '/proc/self/status', '/sys/kernel', '/root', '/dev/mem']) {
      expect([path, (await sh(`test -e ${path}`)).code]).toEqual([path, 1]);
    }
    expect((await sh('echo x > /tmp/x || echo x > /x')).code).not.toBe(0);
  });

  it('has no rights, no network and none of our processes', async () => {
    const { stdout } = await sh('id -u; echo $$; setpriv -d; unshare -n true || echo no namespaces');
    const [uid, pid] = stdout.split('\n');
    expect(uid).toBe(process.getuid?.() === 0 ? '65534' : '0');
    expect(pid).toBe('1');
    expect(stdout).toContain('no_new_privs: 1');
    expect(stdout).toMatch(/Capability bounding set: (dac_override|\[none\])/);
    expect(stdout).toContain('no namespaces');
    expect((await sh('exit 7')).code).toBe(7);
  });

  it('ends with its time, and faults name the program', async () => {
    const late = runConfined(['sleep', '60'], { files: [], timeoutMs: 200 });
    await expect(late).rejects.toThrow(/Took longer than 200 ms.*\nCommand: sleep 60\n/s);
  });
});
