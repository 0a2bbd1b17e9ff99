import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@folsom/host';
import { pipSettings, withLock } from './python-environments.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const INSTALL_TIMEOUT_MS = 300_000;

/**
 * The folder of a version of today's `openstack` command (python-openstackclient, with what it was released beside, as
 * `test/clients/requirements-openstack-VERSION.txt` lists it): built once, kept in `.cache/`.
 *
 * @throws where Python or the package index is not there
 */
export async function openstackClient(version: string): Promise<string> {
  const file = join(ROOT, 'test', 'clients', `requirements-openstack-${version}.txt`);
  const key = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 12);
  const venv = join(ROOT, '.cache', `openstack-${version}-${key}`);
  const done = join(venv, '.complete');
  if (!existsSync(done)) {
    await mkdir(join(ROOT, '.cache'), { recursive: true });
    await withLock(`${venv}.lock`, 2 * INSTALL_TIMEOUT_MS, async () => {
      if (existsSync(done)) return;
      const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: homedir(), ...pipSettings() };
      const options = { timeoutMs: INSTALL_TIMEOUT_MS, env };
      await rm(venv, { recursive: true, force: true });
      await run(['python3', '-m', 'venv', venv], options);
      await run([join(venv, 'bin', 'pip'), 'install', '-q', '--no-deps', '-r', file], options);
      await writeFile(done, '');
    });
  }
  return join(venv, 'bin');
}
