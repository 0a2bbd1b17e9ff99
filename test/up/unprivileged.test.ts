import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import {
  canMakeNamespaces,
  type NetworkNamespace,
  networkNamespace,
  type RunningProgram,
  runProgram,
  startProgram,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** nobody, on every Linux. */
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--inh-caps=-all'];

/** Whether that user can run what this checkout has: one in the home of root is closed to others. */
const readable = async () =>
  (
    await run(
      [...AS_NOBODY, process.execPath, '-e', `fs.readFileSync(${JSON.stringify(import.meta.filename)})`],
      {
        timeoutMs: 60_000,
        allowedCodes: 'any',
      },
    ).catch(() => ({ code: 1 }))
  ).code === 0;

const possible =
  needs('root', canMakeNamespaces()) &&
  needs('setpriv, and a checkout that others can read', await readable());

/** Logs in as the administrator, boots a server and prints what became of it. */
const BOOT = `
const [file, url] = process.argv.slice(1);
const password = /OS_PASSWORD='?([^'\\n]*)/.exec(require('node:fs').readFileSync(file, 'utf8'))[1];
const ask = async (url, body, headers = {}) =>
  (await fetch(url, { method: body ? 'POST' : 'GET', headers: { 'content-type': 'application/json', ...headers }, body: body && JSON.stringify(body) })).json();
(async () => {
  const auth = { tenantName: 'admin', passwordCredentials: { username: 'admin', password } };
  const { access } = await ask(url + '/v2.0/tokens', { auth });
  const at = type => access.serviceCatalog.find(service => service.type === type).endpoints[0].publicURL;
  const headers = { 'x-auth-token': access.token.id };
  const { images } = await ask(at('image') + '/v1/images', undefined, headers);
  const { server } = await ask(at('compute') + '/servers', { server: { name: 'light', imageRef: images[0].id, flavorRef: '1' } }, headers);
  for (;;) {
    const { server: now } = await ask(at('compute') + '/servers/' + server.id, undefined, headers);
    if (now.status !== 'BUILD') return console.log(now.status);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
})();
`;

describe.skipIf(!possible)('folsom up by a user without privileges', () => {
  let dir: string;
  let network: NetworkNamespace;
  let cloud: RunningProgram | undefined;
  const state = () => join(dir, 'var');
  /** In a network of its own: with the standard ports, which need no privileges. */
  const enter = () => [...network.enter, ...AS_NOBODY];
  const folsom = (...argv: string[]) =>
    runProgram('folsom', argv, { enter: enter(), env: { HOME: dir }, timeoutMs: 120_000 });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'folsom-unprivileged-'));
    await chown(dir, NOBODY, NOBODY);
    network = await networkNamespace(`fu${process.pid % 100_000}`, ['192.0.2.20/24']);
  });
  afterAll(async () => {
    await cloud?.stop();
    await network?.remove();
    await rm(dir, { recursive: true, force: true });
  });

  it('runs everything, and says that guests are fake and why', async () => {
    cloud = await startProgram('folsom', ['up', '--state-dir', state()], {
      logFile: join(dir, 'terminal.log'),
      enter: enter(),
      env: { HOME: dir },
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 240_000,
    });
    expect(await cloud.output()).toMatch(
      /^Hypervisor: fake \(FAKE, no virtual machine really runs; (only root may make bridges and guests; start with sudo for real ones|missing: .*; install with: sudo apt-get install .*)\)$/m,
    );
    const shown = await folsom('status', '--state-dir', state());
    expect(shown.code, shown.stderr).toBe(0);
    expect(shown.stdout).not.toMatch(/ down /);
    const booted = await run(
      [...enter(), process.execPath, '-e', BOOT, join(state(), 'openrc'), 'http://127.0.0.1:5000'],
      { timeoutMs: 120_000 },
    );
    expect(booted.stdout).toBe('ACTIVE\n');
  });

  it('says in one sentence what it may not do', async () => {
    const refuses = async (argv: string[], sentence: RegExp) => {
      const refused = await folsom(...argv);
      expect(refused.code).toBe(1);
      expect(refused.stderr.trim()).toMatch(sentence);
    };
    const other = ['up', '--ports-offset', '-200', '--state-dir'];
    await refuses(
      [...other, join(dir, 'real'), '--compute-driver', 'libvirt'],
      /^folsom: no libvirt: (only root may|missing: ).*$/,
    );
    const closed = join(dir, 'closed');
    await mkdir(closed);
    await chown(closed, 0, 0);
    await chmod(closed, 0o700);
    await refuses([...other, closed], /^folsom: no permission to use the state directory .*closed$/);
    await refuses(
      ['up', '--state-dir', join(dir, 'low'), '--ports-offset', '-3000'],
      /^folsom: only root may open port 333 \(objectstore\) on 127\.0\.0\.1; .*--ports-offset N$/,
    );
  });

  it('takes everything away again', async () => {
    const gone = await folsom('down', '--purge', '--state-dir', state());
    expect(gone.code, gone.stderr).toBe(0);
    expect(await cloud!.exited).toBe(0);
    await expect(chmod(state(), 0o700)).rejects.toThrow('ENOENT');
  });
});
