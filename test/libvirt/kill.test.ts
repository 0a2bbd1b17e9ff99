import { operations } from '@folsom/compute-agent/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cannotRun, eventually, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const stepsOf = (name: string) => operations.find(op => op.name === name)?.steps ?? [];
const settled = (row: Record<string, unknown>) => row.task_state === null && row.vm_state !== 'building';
const active = (row: Record<string, unknown>) => row.vm_state === 'active' && row.task_state === null;

describe.skipIf(cannotRun() !== undefined)(
  'a compute service killed at every step',
  { timeout: 280_000 },
  () => {
    let host: HostUnderTest;
    beforeAll(async () => {
      host = await hostUnderTest(`kil${process.pid % 10000}`);
      await host.start();
      await host.rpc('network', 'create_networks', {
        label: 'private',
        cidr: '10.77.0.0/24',
        bridge: 'br100',
      });
    });
    afterAll(async () => {
      await host?.remove();
    });

    const remove = async (uuid: string): Promise<void> => {
      await host.db.knex('instances').where({ uuid }).update({ host: 'node1' });
      await host.delete(uuid);
    };

    it('boot: it is there as a whole or not at all, and the user is told', async () => {
      const steps = [...stepsOf('boot').map(step => step.name), 'spawn:files', 'spawn:start'];
      for (const step of steps) {
        const { died } = await host.dieAt(`boot:${step}`);
        const uuid = await host.boot('ami').catch(async error => {
          if (!String(error).includes('died')) throw error;
          return (await host.db.knex('instances').orderBy('id', 'desc').first('uuid')).uuid as string;
        });
        await died;
        await host.start();
        const row = await eventually(
          () => host.db.knex('instances').where({ uuid }).first(),
          one => settled(one),
        );
        const left = await host.traces(uuid);
        if (row.vm_state === 'active')
          expect([step, left]).toEqual([step, ['domain', 'files', 'rules', 'address', 'card']]);
        else {
          expect([step, row.vm_state, left]).toEqual([step, 'error', []]);
          const fault = await host.db.knex('instance_faults').where({ instance_uuid: uuid }).first();
          expect(fault?.message).toBe('InstanceInterrupted');
        }
        await remove(uuid);
        expect([step, await host.traces(uuid)]).toEqual([step, []]);
      }
    });

    it('delete and reboot: they are finished by the next process', async () => {
      for (const step of stepsOf('delete').map(one => one.name)) {
        const uuid = await host.boot('ami');
        await host.state(uuid, active);
        const { died } = await host.dieAt(`delete:${step}`);
        await host.db.knex('instances').where({ uuid }).update({ task_state: 'deleting' });
        await host
          .rpc('compute', 'terminate_instance', { instance: await host.instance(uuid) })
          .catch(() => {});
        await died;
        await host.start();
        await host.state(uuid, row => row.deleted === 1, 60_000);
        await expect
          .poll(async () => [step, await host.traces(uuid)], { timeout: 15_000 })
          .toEqual([step, []]);
      }
      for (const step of ['driver', 'record']) {
        const uuid = await host.boot('ami');
        await host.state(uuid, active);
        const { died } = await host.dieAt(`reboot:${step}`);
        await host.db.knex('instances').where({ uuid }).update({ task_state: 'rebooting' });
        const message = { instance: await host.instance(uuid), reboot_type: 'HARD' };
        await host.rpc('compute', 'reboot_instance', message).catch(() => {});
        await died;
        await host.start();
        await host.state(uuid, active, 60_000);
        expect(await host.virsh('domstate', await host.nameOf(uuid))).toBe('running');
        await remove(uuid);
        expect([step, await host.traces(uuid)]).toEqual([step, []]);
      }
    });
  },
);
