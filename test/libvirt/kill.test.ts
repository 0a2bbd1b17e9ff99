import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cannotRun, type HostUnderTest, TEST_MS } from './host-under-test.ts';
import {
  active,
  ask,
  ended,
  hostWithNetwork,
  killedAt,
  removeAll,
  running,
  stepsOf,
  WHOLE,
} from './killed.ts';

/** One instance stands before each step when the service is killed: one death shows them all. */
describe.skipIf(cannotRun() !== undefined)(
  'a compute service killed at every step',
  { timeout: TEST_MS },
  () => {
    let host: HostUnderTest;
    beforeAll(async () => {
      host = await hostWithNetwork('kil');
    }, TEST_MS);
    afterAll(async () => {
      await host?.remove();
    });

    it('boot: it is there as a whole or not at all, and the user is told', async () => {
      const steps = [...stepsOf('boot'), 'boot:spawn:files', 'boot:spawn:start'];
      const standing = await killedAt(host, steps, async () => {
        for (const _ of steps) await host.boot('blank');
      });
      for (const [step, uuid] of standing) {
        const row = await ended(host, uuid);
        const left = await host.traces(uuid);
        if (row.vm_state === 'active') expect([step, left]).toEqual([step, WHOLE]);
        else {
          expect([step, row.vm_state, left]).toEqual([step, 'error', []]);
          const fault = await host.db.knex('instance_faults').where({ instance_uuid: uuid }).first();
          expect(fault?.message).toBe('InstanceInterrupted');
        }
      }
      const [, started] = [...standing].find(([step]) => step === 'boot:activate') ?? [];
      expect(await host.traces(started ?? '')).toEqual(WHOLE);
      await removeAll(host, standing.values());
    });

    it('delete and reboot: they are finished by the next process', async () => {
      const deletions = stepsOf('delete');
      const reboots = stepsOf('reboot');
      const uuids = await running(host, deletions.length + reboots.length);
      const standing = await killedAt(host, [...deletions, ...reboots], async () => {
        for (const [at, uuid] of uuids.entries()) {
          if (at < deletions.length) await ask(host, uuid, 'deleting', 'terminate_instance');
          else await ask(host, uuid, 'rebooting', 'reboot_instance', { reboot_type: 'HARD' });
        }
      });
      for (const [step, uuid] of standing) {
        if (deletions.includes(step)) {
          await host.state(uuid, row => row.deleted === 1);
          await expect.poll(async () => [step, await host.traces(uuid)]).toEqual([step, []]);
        } else {
          await host.state(uuid, active);
          expect([step, await host.traces(uuid)]).toEqual([step, WHOLE]);
          expect(await host.virsh('domstate', await host.nameOf(uuid))).toBe('running');
        }
      }
      await removeAll(
        host,
        reboots.map(step => standing.get(step)!),
      );
    });
  },
);
