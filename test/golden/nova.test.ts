import { join } from 'node:path';
import type { Database } from '@folsom/db';
import { freePorts, goldenDir, readGolden, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Hooks, serveHooks } from './hooks.ts';
import { type NovaCloud, startNovaCloud } from './nova-cloud.ts';
import { recordedPlacement } from './nova-placement.ts';
import { LIMIT_RATES, writeNovaSetup } from './nova-setup.ts';
import { BREAK_VOLUMES, REFUSE_BOOTS, REFUSED } from './nova-volumes-setup.ts';
import { listedDifferences, type Replayed, replayRecordings, SETUPS, unlisted } from './replay.ts';

/** Seconds the replayer waits for an asynchronous answer to become the recorded one; what is known to differ has less. */
const SETTLE_S = 15;
const REPLAY_MS = 1_500_000;

describe('recordings of nova 2012.2.4', () => {
  const dir = tempDir('folsom-nova-golden');
  const listed = listedDifferences('nova');
  let cloud: NovaCloud;
  let hooks: Hooks;
  let replayed: Replayed;

  beforeAll(async () => {
    const [identity, identityAdmin, image, registry, compute, volume] = (await freePorts(6)) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const ports = { identity, identityAdmin, image, registry, compute, volume };
    const placement = recordedPlacement(readGolden('nova'));
    cloud = await startNovaCloud({ dir: dir.path, ports, placement });
    hooks = await serveHooks(async name => {
      if (name === LIMIT_RATES) return cloud.limitRates();
      if (name === BREAK_VOLUMES) return breakVolumes(cloud.database);
      if (name === REFUSE_BOOTS) return refuseBoots(cloud.database);
      throw new Error(`no hook ${name}`);
    });
    const setup = join(dir.path, 'setup.json');
    writeNovaSetup(SETUPS, setup);
    replayed = await replayRecordings({
      folder: join(goldenDir(), 'nova'),
      ports: {
        ...{ 5000: identity, 35357: identityAdmin, 9292: image, 9191: registry },
        ...{ 8774: compute, 8776: volume },
      },
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

/** Every volume is in error once it is made; one says that it came from a snapshot that is gone. */
async function breakVolumes({ knex }: Database): Promise<void> {
  const volumes = () => knex('volumes').where({ deleted: 0 });
  await vi.waitFor(async () => expect(await volumes().where({ status: 'creating' })).toEqual([]), 30_000);
  await volumes().update({ status: 'error' });
  await volumes()
    .where({ display_name: 'volsnap' })
    .update({ snapshot_id: 'e6270c66-847c-47bc-9928-d80f90198991' });
}

/** Once they are deleted, the rows say nothing of what came after the refusal. */
async function refuseBoots({ knex }: Database): Promise<void> {
  const rows = () => knex('instances').where({ display_name: REFUSED });
  await vi.waitFor(async () => expect(await rows().where({ deleted: 0 })).toEqual([]), 60_000);
  await rows().update({ vm_state: 'building', task_state: null, launched_at: null, updated_at: null });
}
