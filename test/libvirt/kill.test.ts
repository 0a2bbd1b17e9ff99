import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootSteps } from '@folsom/compute-agent/boot';
import { destroySteps } from '@folsom/compute-agent/destroy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cannotRun, eventually, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

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
      await host.kill();
    });
    afterAll(async () => {
      await host?.remove();
    });

    const nameOf = async (uuid: string): Promise<string> => {
      const { id } = await host.db.knex('instances').where({ uuid }).first('id');
      return `instance-${Number(id).toString(16).padStart(8, '0')}`;
    };
    /** Everything of a guest that exists on the host or holds an address. */
    const traces = async (uuid: string): Promise<string[]> => {
      const name = await nameOf(uuid);
      const id = Number.parseInt(name.slice('instance-'.length), 16);
      const found: string[] = [];
      if ((await host.virsh('list', '--all', '--name')).split('\n').includes(name)) found.push('domain');
      if (existsSync(join(host.dir, 'instances', name))) found.push('files');
      if ((await host.space.exec(['iptables-save'])).stdout.includes(`nova-compute-inst-${id} `))
        found.push('rules');
      const held = await host.db.knex('fixed_ips').where({ instance_uuid: uuid, allocated: 1 });
      if (held.length > 0) found.push('address');
      if ((await host.db.knex('virtual_interfaces').where({ instance_uuid: uuid })).length > 0)
        found.push('card');
      return found;
    };
    const remove = async (uuid: string): Promise<void> => {
      await host.db.knex('instances').where({ uuid }).update({ task_state: 'deleting', host: 'node1' });
      await host.rpc('compute', 'terminate_instance', { instance: await host.instance(uuid) });
      await host.state(uuid, row => row.deleted === 1);
    };

    it('boot: it is there as a whole or not at all, and the user is told', async () => {
      const steps = [...bootSteps.map(step => step.name), 'spawn:files', 'spawn:start'];
      for (const step of steps) {
        await host.start({ dieAt: `boot:${step}` });
        const gone = host.died();
        const uuid = await host.boot('ami').catch(async error => {
          if (!String(error).includes('died')) throw error;
          return (await host.db.knex('instances').orderBy('id', 'desc').first('uuid')).uuid as string;
        });
        await gone;
        await host.start();
        const row = await eventually(
          () => host.db.knex('instances').where({ uuid }).first(),
          one => settled(one),
        );
        const left = await traces(uuid);
        if (row.vm_state === 'active')
          expect([step, left]).toEqual([step, ['domain', 'files', 'rules', 'address', 'card']]);
        else {
          expect([step, row.vm_state, left]).toEqual([step, 'error', []]);
          const fault = await host.db.knex('instance_faults').where({ instance_uuid: uuid }).first();
          expect(fault?.message).toBe('InstanceInterrupted');
        }
        await remove(uuid);
        expect([step, await traces(uuid)]).toEqual([step, []]);
        await host.kill();
      }
    });

    it('delete and reboot: they are finished by the next process', async () => {
      for (const step of destroySteps.map(one => one.name)) {
        await host.start({ dieAt: `delete:${step}` });
        const uuid = await host.boot('ami');
        await host.state(uuid, active);
        const gone = host.died();
        await host.db.knex('instances').where({ uuid }).update({ task_state: 'deleting' });
        await host
          .rpc('compute', 'terminate_instance', { instance: await host.instance(uuid) })
          .catch(() => {});
        await gone;
        await host.start();
        await host.state(uuid, row => row.deleted === 1, 60_000);
        await expect.poll(async () => [step, await traces(uuid)], { timeout: 15_000 }).toEqual([step, []]);
        await host.kill();
      }
      for (const step of ['driver', 'record']) {
        await host.start({ dieAt: `reboot:${step}` });
        const uuid = await host.boot('ami');
        await host.state(uuid, active);
        const gone = host.died();
        await host.db.knex('instances').where({ uuid }).update({ task_state: 'rebooting' });
        const message = { instance: await host.instance(uuid), reboot_type: 'HARD' };
        await host.rpc('compute', 'reboot_instance', message).catch(() => {});
        await gone;
        await host.start();
        await host.state(uuid, active, 60_000);
        expect(await host.virsh('domstate', await nameOf(uuid))).toBe('running');
        await remove(uuid);
        expect([step, await traces(uuid)]).toEqual([step, []]);
        await host.kill();
      }
    });
  },
);
