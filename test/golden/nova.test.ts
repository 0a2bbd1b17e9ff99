import { join } from 'node:path';
import { freePorts, goldenDir, readGolden, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hooks, serveHooks } from './hooks.ts';
import { type NovaCloud, startNovaCloud } from './nova-cloud.ts';
import { recordedPlacement } from './nova-placement.ts';
import { LIMIT_RATES, writeNovaSetup } from './nova-setup.ts';
import { listedDifferences, type Replayed, replayRecordings, SETUPS, unlisted } from './replay.ts';

/** Seconds the replayer waits for an asynchronous answer to become the recorded one. */
const SETTLE_S = 1;
const REPLAY_MS = 1_500_000;

describe('recordings of nova 2012.2.4', () => {
  const dir = tempDir('folsom-nova-golden');
  const listed = listedDifferences('nova');
  let cloud: NovaCloud;
  let hooks: Hooks;
  let replayed: Replayed;

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
    hooks = await serveHooks(async name => {
      if (name !== LIMIT_RATES) throw new Error(`no hook ${name}`);
      await cloud.limitRates();
    });
    const setup = join(dir.path, 'setup.json');
    writeNovaSetup(SETUPS, setup);
    replayed = await replayRecordings({
      folder: join(goldenDir(), 'nova'),
      ports: { 5000: identity, 35357: identityAdmin, 9292: image, 9191: registry, 8774: compute },
      setup,
      settle: SETTLE_S,
      known: listed,
      hook: hooks.command,
    });
    console.log(`nova: ${replayed.ok.length} as recorded, ${replayed.differs.length} differ with a reason`);
    for (const difference of unlisted(replayed, listed)) console.log(difference);
  }, REPLAY_MS);

  afterAll(async () => {
    hooks?.close();
    await cloud?.stop();
    dir.remove();
  });

  it('are answered as the original answered, but for what differences.md lists', () => {
    expect(unlisted(replayed, listed)).toEqual([]);
    expect(replayed.ok.length + replayed.differs.length).toBe(888);
  });
});
