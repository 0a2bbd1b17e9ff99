import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import {
  canMakeNamespaces,
  clients2012,
  hostNamespace,
  type RabbitServer,
  type RunningProgram,
  startProgram,
  startRabbit,
} from '@folsom/testing';
import { afterAll, afterEach, beforeAll, describe, vi } from 'vitest';
import { buildGuestImage } from '../../deploy/guest-image/build.ts';
import { computeSteps } from './compute.ts';
import { identitySteps } from './identity.ts';
import { type ImageFile, imageSteps } from './image.ts';
import { objectSteps } from './object.ts';
import { session } from './steps.ts';
import { HOST, type Walk } from './walk.ts';

// Guests boot in emulation where the machine cannot virtualise.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const clients = await clients2012();
const possible = needs(
  'Python 2.7, root and network namespaces',
  clients !== undefined && canMakeNamespaces(),
);
if (!possible)
  console.warn('SKIPPED: the walk-through needs Python 2.7 and the right to make network namespaces');

// One host with the walk-through's own address; its services on their standard ports, each a process of its own.
describe.skipIf(!possible)('walk-through', () => {
  const walk = { ids: {} } as Walk;
  const programs: RunningProgram[] = [];
  let rabbit: RabbitServer;
  const images: [ImageFile, ImageFile] = [
    { name: 'cirros-0.3.0-i386', bytes: Buffer.alloc(9_159_168, 'i386') },
    { name: 'cirros-0.3.0-x86_64', bytes: Buffer.alloc(9_761_280, 'x86_64') },
  ];

  beforeAll(async () => {
    walk.dir = await mkdtemp(join(tmpdir(), 'folsom-walk-'));
    walk.host = await hostNamespace(`fw${process.pid % 100_000}`, [`${HOST}/24`]);
    const cache = fileURLToPath(new URL('../../.cache/guest-image', import.meta.url));
    const guest = await buildGuestImage({ directory: cache, log: silentLogger });
    images[1].bytes = await readFile(guest.disk);
    await walk.host.startLibvirtd();
    rabbit = await startRabbit({ enter: walk.host.enter });
    walk.shell = session(clients!, { enter: walk.host.enter, cwd: walk.dir });
    walk.configure = async (name, lines) => {
      const path = join(walk.dir, name);
      await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o600 });
      return path;
    };
    walk.start = async (program, conf, ports = []) => {
      programs.push(
        // Swift's programs take their file as an argument.
        await startProgram(program, program.startsWith('swift-') ? [conf] : ['--config-file', conf], {
          logFile: join(walk.dir, `${program}.log`),
          enter: walk.host.enter,
          cwd: walk.dir,
          ports: ports.map(port => ({ host: HOST, port })),
        }),
      );
    };
  });

  afterAll(async () => {
    await Promise.all(programs.map(program => program.stop()));
    await rabbit?.stop();
    await walk.host?.remove();
    await rm(walk.dir, { recursive: true, force: true });
  });

  // What the services said of requests they did not like, where a step fails.
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    for (const file of await readdir(walk.dir, { recursive: true })) {
      if (!file.endsWith('.log')) continue;
      const lines = (await readFile(join(walk.dir, file), 'utf8')).split('\n');
      const telling = lines.filter(line => /"status":[45]|"level":"(warn|error)"|not a request/.test(line));
      if (telling.length > 0) console.error(`${file}:\n${telling.slice(-10).join('\n')}`);
    }
  });

  describe('1 identity', () => identitySteps(walk));
  describe('2 image', () => imageSteps(walk, () => images));
  describe('3 to 5 compute', () => computeSteps(walk, { rabbitPort: () => rabbit.port }));
  describe('6 object storage', () => objectSteps(walk));
});
