import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { goldenDir } from '@folsom/testing/golden';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SwiftCluster, startSwiftCluster } from './swift-cluster.ts';

const recordings = join(goldenDir(), 'swift');
const replayer = join(dirname(goldenDir()), 'tools', 'replay.mjs');
const present = existsSync(recordings) && existsSync(replayer);
if (!present) console.warn(`skipped: no recordings of swift in ${goldenDir()} or no replayer beside them`);

/** Scenarios that matched when this was last looked at; fewer is a step back. */
const MATCHES_MIN = 456;

/** Scenarios listed for swift in differences.md, with their reasons. */
function knownDifferences(): Map<string, string> {
  const text = readFileSync(new URL('./differences.md', import.meta.url), 'utf8');
  const section = /\n## swift\n(.*?)(?=\n## |$)/s.exec(text)?.[1] ?? '';
  return new Map(
    [...section.matchAll(/^\| (\d{3}-[\w-]+) \| (.+?) \|$/gm)].map(match => [match[1]!, match[2]!]),
  );
}

interface Report {
  ok: number;
  differing: string[];
}

async function replay(ports: Map<number, number>): Promise<Report> {
  const args = [
    replayer,
    recordings,
    '--target',
    'http://127.0.0.1',
    '--setup',
    join(dirname(replayer), 'setup/swift.json'),
  ];
  for (const [recorded, here] of ports) args.push('--port', `${recorded}=${here}`);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', chunk => {
    text += chunk;
  });
  await new Promise(resolve => child.once('close', resolve));
  return {
    ok: Number(/^(\d+) passed, \d+ failed$/m.exec(text)?.[1] ?? 0),
    differing: [...text.matchAll(/^differs (\S+)/gm)].map(match => match[1]!),
  };
}

describe.skipIf(!present)('recordings of swift 1.7.4', () => {
  let dir: string;
  let cluster: SwiftCluster;
  let report: Report;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'folsom-swift-golden-'));
    cluster = await startSwiftCluster({
      stateDir: dir,
      basePort: 23_520,
      recordings,
      world: { clock: systemClock, random: systemRandom, log: silentLogger },
    });
    report = await replay(cluster.ports);
  }, 240_000);

  afterAll(async () => {
    await cluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('are answered as the original answered', () => {
    expect(report.ok).toBeGreaterThanOrEqual(MATCHES_MIN);
  });

  it('differ only where differences.md says so', () => {
    const known = knownDifferences();
    expect(report.differing.filter(scenario => !known.has(scenario))).toEqual([]);
  });
});
