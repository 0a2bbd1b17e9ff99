import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
import { becomeUser } from '@folsom/deploy/swift-user';
import { startBackground } from '@folsom/host/background';
import { run } from '@folsom/host/run';
import { ConfError, confSection } from '@folsom/swift';
import { freePort } from '@folsom/testing';
import { expect, it } from 'vitest';

const root = needs('root', process.getuid?.() === 0);

it.skipIf(!root)('refuses a user who is not there, and stays who it is without one', async () => {
  await expect(becomeUser(confSection({ user: 'nobody-of-that-name' }))).rejects.toThrow(ConfError);
  await becomeUser(confSection({}));
  await becomeUser(confSection({ user: 'root' }));
  expect(process.getuid?.()).toBe(0);
});

it.skipIf(!root)('a server takes its port as root and serves as the user of its conf file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swift-user-'));
  const port = await freePort();
  writeFileSync(join(folder, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = x\n');
  mkdirSync(join(folder, 'node'));
  const conf = join(folder, 'object-server.conf');
  writeFileSync(
    conf,
    `[DEFAULT]\nuser = nobody\nbind_ip = 127.0.0.1\nbind_port = ${port}\nswift_dir = ${folder}\ndevices = ${folder}/node\nlog_address = ${folder}/none\n[pipeline:main]\npipeline = object-server\n[app:object-server]\nuse = egg:swift#object\n`,
  );
  const program = fileURLToPath(new URL('../../deploy/bin/swift-object-server.mjs', import.meta.url));
  const server = await startBackground([process.execPath, program, conf], { logFile: join(folder, 'log') });
  try {
    const answers = (): Promise<boolean> =>
      new Promise(resolve => {
        const socket = createConnection(port, '127.0.0.1');
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('close', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      });
    const workerOf = async () => {
      const { stdout } = await run(['ps', '--ppid', String(server.pid), '-o', 'user=', '-ww'], {
        timeoutMs: 10_000,
        allowedCodes: 'any',
      });
      return stdout.trim();
    };
    await expect
      .poll(async () => ((await answers()) ? workerOf() : 'not yet'), { timeout: 30_000, interval: 100 })
      .toBe('nobody');
    await expect.poll(() => readFileSync(join(folder, 'log'), 'utf8')).toContain('"message":"serving"');
  } finally {
    await server.stop(10_000);
    rmSync(folder, { recursive: true });
  }
});
