import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { freePorts, goldenDir, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GoldenIdentity, startGoldenIdentity } from './identity-service.ts';

const recordings = join(goldenDir(), 'keystone');
const replayer = join(dirname(goldenDir()), 'tools', 'replay.mjs');
const present = existsSync(recordings) && existsSync(replayer);
if (!present) {
  console.warn(`skipped: no recordings of keystone in ${goldenDir()} or no replayer beside them`);
}

/** Scenarios that matched when this was last looked at; fewer is a step back. */
const MATCHES_MIN = 360;

/** Scenarios listed for keystone in differences.md. */
function knownDifferences(): Set<string> {
  const text = readFileSync(new URL('./differences.md', import.meta.url), 'utf8');
  const section = /\n## keystone\n(.*?)(?=\n## |$)/s.exec(text)?.[1] ?? '';
  return new Set([...section.matchAll(/^\| (\d{3}-[\w-]+) \| .+ \|$/gm)].map(match => match[1]!));
}

/** The replayer reconfigures the service through a command; this one tells the test. */
function hookServer(identity: GoldenIdentity): Promise<Server> {
  const server = createServer((request, response) => {
    identity.restart((request.url ?? '/').slice(1)).then(
      () => response.end(),
      error => response.writeHead(500).end(String(error)),
    );
  });
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)));
}

describe.skipIf(!present)('recordings of keystone 2012.2.4', () => {
  const dir = tempDir('folsom-keystone-golden');
  let identity: GoldenIdentity;
  let hooks: Server;
  let ok = 0;
  let differing: string[] = [];

  beforeAll(async () => {
    const [publicPort, adminPort] = (await freePorts(2)) as [number, number];
    identity = await startGoldenIdentity({ dir: dir.path, ports: { public: publicPort, admin: adminPort } });
    hooks = await hookServer(identity);
    const { port } = hooks.address() as AddressInfo;
    const args = [
      ...[replayer, recordings, '--target', 'http://127.0.0.1'],
      ...['--port', `5000=${publicPort}`, '--port', `35357=${adminPort}`],
      ...['--setup', join(dirname(replayer), 'setup/keystone.json')],
      ...['--hook', `f() { curl -sf http://127.0.0.1:${port}/$1; }; f`],
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', chunk => {
      text += chunk;
    });
    await new Promise(resolve => child.once('close', resolve));
    ok = Number(/^(\d+) passed, \d+ failed$/m.exec(text)?.[1] ?? 0);
    differing = [...text.matchAll(/^differs (\S+)/gm)].map(match => match[1]!);
  }, 240_000);

  afterAll(async () => {
    hooks?.close();
    await identity?.stop();
    dir.remove();
  });

  it('are answered as the original answered', () => {
    expect(ok).toBeGreaterThanOrEqual(MATCHES_MIN);
  });

  it('differ only where differences.md says so', () => {
    const known = knownDifferences();
    expect(differing.filter(slug => !known.has(slug))).toEqual([]);
  });
});
