import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProgram, startProgram } from '@folsom/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PORTS } from '../../deploy/folsom/layout.ts';
import { PORT_OFFSETS } from '../port-offsets.ts';

// Below the ports that the kernel gives to outgoing connections.
const OFFSET = PORT_OFFSETS.listening;
/** Another address of this machine, in the place of one that others reach. */
const PUBLIC = '127.0.0.2';

/** What `--host-ip` opens to others; everything else stays on loopback. */
const OPEN = [
  PORTS.identityPublic,
  PORTS.identityAdmin,
  PORTS.image,
  PORTS.ec2,
  PORTS.compute,
  PORTS.volume,
  PORTS.metadata,
  PORTS.novncproxy,
  PORTS.xvpvncproxy,
  PORTS.objectProxy,
  PORTS.consoleWeb,
];
const CLOSED = [PORTS.account, PORTS.container, PORTS.object, PORTS.metrics, PORTS.objectstore];

/** `address:port` of every socket that a process and its children listen on. */
async function listening(pid: number): Promise<string[]> {
  const sockets = new Set<string>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (name !== String(pid) && parent !== String(pid)) continue;
    for (const fd of await readdir(`/proc/${name}/fd`).catch(() => [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${name}/fd/${fd}`).catch(() => ''))?.[1];
      if (inode !== undefined) sockets.add(inode);
    }
  }
  const found: string[] = [];
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (await readFile(`/proc/net/${table}`, 'utf8')).split('\n').slice(1)) {
      const words = line.trim().split(/\s+/);
      if (words[3] !== '0A' || !sockets.has(words[9]!)) continue;
      const [address = '', port = ''] = words[1]!.split(':');
      const shown = table === 'tcp6' ? address : Buffer.from(address, 'hex').reverse().join('.');
      found.push(`${shown}:${Number.parseInt(port, 16)}`);
    }
  }
  return found.sort();
}

let dir: string;
let cloud: RunningProgram | undefined;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folsom-listening-'));
  const argv = ['up', '--state-dir', join(dir, 'var'), '--host-ip', PUBLIC, '--ports-offset', String(OFFSET)];
  cloud = await startProgram('folsom', [...argv, '--compute-driver', 'fake'], {
    logFile: join(dir, 'terminal.log'),
    until: /^ready in [\d.]+ s$/m,
    timeoutMs: 120_000,
  });
});
afterAll(async () => {
  await cloud?.stop();
  await rm(dir, { recursive: true, force: true });
});

it('--host-ip opens what asks for a login, and nothing else', async () => {
  const expected = [
    ...OPEN.map(port => `${PUBLIC}:${port + OFFSET}`),
    ...CLOSED.map(port => `127.0.0.1:${port + OFFSET}`),
  ];
  expect(await listening(cloud!.pid)).toEqual(expected.sort());
});
