import { join } from 'node:path';
import { freePorts, goldenDir, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hooks, serveHooks } from './hooks.ts';
import { type GoldenIdentity, startGoldenIdentity } from './identity-service.ts';
import {
  listedDifferences,
  listedInVain,
  type Replayed,
  replayRecordings,
  SETUPS,
  unlisted,
} from './replay.ts';

describe('recordings of keystone 2012.2.4', () => {
  const dir = tempDir('folsom-keystone-golden');
  const listed = listedDifferences('keystone');
  let identity: GoldenIdentity;
  let hooks: Hooks;
  let replayed: Replayed;

  beforeAll(async () => {
    const [publicPort, adminPort] = (await freePorts(2)) as [number, number];
    identity = await startGoldenIdentity({ dir: dir.path, ports: { public: publicPort, admin: adminPort } });
    hooks = await serveHooks(name => identity.restart(name));
    replayed = await replayRecordings({
      folder: join(goldenDir(), 'keystone'),
      ports: { 5000: publicPort, 35357: adminPort },
      setup: join(SETUPS, 'keystone.json'),
      hook: hooks.command,
    });
    console.log(
      `keystone: ${replayed.ok.length} as recorded, ${replayed.differs.length} differ with a reason`,
    );
  }, 240_000);

  afterAll(async () => {
    hooks?.close();
    await identity?.stop();
    dir.remove();
  });

  it('are answered as the original answered, but for what differences.md lists', () => {
    expect(unlisted(replayed, listed)).toEqual([]);
    expect(listedInVain(replayed, listed)).toEqual([]);
    expect(replayed.ok.length + replayed.differs.length).toBe(399);
  });
});
