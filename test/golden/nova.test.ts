import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { freePorts, goldenDir, readGolden, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NovaCloud, startNovaCloud } from './nova-cloud.ts';
import { recordedPlacement } from './nova-placement.ts';
import { LIMIT_RATES, writeNovaSetup } from './nova-setup.ts';

const recordings = join(goldenDir(), 'nova');
const tools = join(dirname(goldenDir()), 'tools');
const present = existsSync(recordings) && existsSync(join(tools, 'replay.mjs'));
if (!present) console.warn(`skipped: no recordings of nova in ${goldenDir()} or no replayer beside them`);

/**
 * Scenarios that matched when this was last looked at, less those that chance decides: how far a boot is when it is looked at, and
 * which host a migration finds. What differs for good is in differences.md.
 */
const MATCHES_MIN = 675;
/** Seconds the replayer waits for an asynchronous answer to become the recorded one. */
const SETTLE_S = 1;
const REPLAY_MS = 1_500_000;

describe.skipIf(!present)('recordings of nova 2012.2.4', () => {
  const dir = tempDir('folsom-nova-golden');
  let cloud: NovaCloud;
  let hooks: Server;
  let ok = 0;
  let total = 0;

  beforeAll(async () => {
    const [identity, identityAdmin, image, registry, compute] = (await freePorts(5)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const ports = { identity, identityAdmin, image, registry, compute };
    const placement = recordedPlacement(readGolden('nova'));
    cloud = await startNovaCloud({ dir: dir.path, ports, placement });
    hooks = await serveHooks({ [LIMIT_RATES]: () => cloud.limitRates() });
    const setup = join(dir.path, 'setup.json');
    writeNovaSetup(tools, setup);
    const map = { 5000: identity, 35357: identityAdmin, 9292: image, 9191: registry, 8774: compute };
    const args = [
      ...[join(tools, 'replay.mjs'), recordings, '--target', 'http://127.0.0.1'],
      ...Object.entries(map).flatMap(([recorded, port]) => ['--port', `${recorded}=${port}`]),
      ...['--setup', setup, '--settle', String(SETTLE_S), '--hook', hookCommand(hooks)],
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', chunk => {
      text += chunk;
    });
    await new Promise(resolve => child.once('close', resolve));
    const counts = /^(\d+) passed, (\d+) failed$/m.exec(text);
    ok = Number(counts?.[1] ?? 0);
    total = ok + Number(counts?.[2] ?? 0);
    console.log(`nova: ${ok} of ${total} recorded scenarios are answered as the original answered`);
  }, REPLAY_MS);

  afterAll(async () => {
    hooks?.close();
    await cloud?.stop();
    dir.remove();
  });

  it('are answered as the original answered', () => {
    expect(total).toBeGreaterThan(800);
    expect(ok).toBeGreaterThanOrEqual(MATCHES_MIN);
  });
});

/** Where the replayer's hook, a command, reaches this process. */
async function serveHooks(hooks: Record<string, () => Promise<void>>): Promise<Server> {
  const server = createServer((request, response) => {
    const hook = hooks[request.url?.slice(1) ?? ''];
    const done = (status: number) => response.writeHead(status).end();
    if (hook)
      hook().then(
        () => done(200),
        () => done(500),
      );
    else done(404);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** A command that ends with 0 when the hook named by its last word has done its work. */
function hookCommand(server: Server): string {
  const { port } = server.address() as AddressInfo;
  const script = `fetch("http://127.0.0.1:${port}/" + process.argv[1]).then(r => process.exit(r.ok ? 0 : 1))`;
  return `${process.execPath} -e '${script}' --`;
}
