import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { goldenDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  listedDifferences,
  listedInVain,
  type Replayed,
  replayRecordings,
  SETUPS,
  unlisted,
} from './replay.ts';
import { type SwiftCluster, startSwiftCluster } from './swift-cluster.ts';

describe('recordings of swift 1.7.4', () => {
  const recordings = join(goldenDir(), 'swift');
  const listed = listedDifferences('swift');
  let dir: string;
  let cluster: SwiftCluster;
  let replayed: Replayed;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'folsom-swift-golden-'));
    cluster = await startSwiftCluster({
      stateDir: dir,
      basePort: 23_520,
      recordings,
      world: { clock: systemClock, random: systemRandom, log: silentLogger },
    });
    replayed = await replayRecordings({
      folder: recordings,
      ports: Object.fromEntries(cluster.ports),
      setup: join(SETUPS, 'swift.json'),
    });
    console.log(`swift: ${replayed.ok.length} as recorded, ${replayed.differs.length} differ with a reason`);
  }, 240_000);

  afterAll(async () => {
    await cluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('are answered as the original answered, but for what differences.md lists', () => {
    expect(unlisted(replayed, listed)).toEqual([]);
    expect(listedInVain(replayed, listed)).toEqual([]);
    expect([...cluster.undeclared]).toEqual([]);
    expect(replayed.ok.length + replayed.differs.length).toBe(473);
  });
});
