import { must } from '@folsom/core';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { addFlavor } from '../faults/compute-cloud.ts';
import { eventually, type HostUnderTest, letSshInto, openSsh } from './host-under-test.ts';
import { inGuest } from './inside.ts';
import { active } from './killed.ts';
import type { TwoHosts } from './two-hosts.ts';

/** What is done to guests of two hosts with one network, which each host serves for its own. */
export interface Moves {
  /** An instance that runs on the first host; `before` is done before the host is asked. */
  boot(before?: (uuid: string) => Promise<unknown>): Promise<string>;
  /** Runs a command in the guest, from the host that serves it. */
  inside(host: HostUnderTest, uuid: string, command: string, user?: string): Promise<string>;
  setTask(uuid: string, task: string, vm?: string): Promise<unknown>;
  /** What the scheduler sends when it has chosen a host. */
  beginResize(uuid: string, to: HostUnderTest): Promise<void>;
  /** The arguments of what ends the last resize. */
  migration(uuid: string): Promise<Record<string, unknown>>;
  /** What the scheduler asks and sends for a move while the guest runs. */
  beginLive(
    uuid: string,
    from: HostUnderTest,
    to: { host: HostUnderTest; name: string },
    block: boolean,
  ): Promise<void>;
  /** Waits until nothing is left of an instance anywhere. */
  nothing(uuid: string): Promise<unknown>;
}

export async function movesBetween({ one, two }: TwoHosts): Promise<Moves> {
  await one.rpc('network', 'create_networks', {
    label: 'private',
    cidr: '10.77.0.0/24',
    bridge: 'br100',
    bridge_interface: 'eth0',
    multi_host: true,
  });
  const key = await openSsh(one);
  const bigger = await addFlavor(one.db, { name: 'm1.more', memory_mb: 160 });
  const setTask: Moves['setTask'] = (uuid, task_state, vm_state) =>
    one.db
      .knex('instances')
      .where({ uuid })
      .update({ task_state, ...(vm_state === undefined ? {} : { vm_state }) });
  return {
    async boot(before) {
      const uuid = await one.boot('ami', { key_name: 'k', key_data: key.text }, {}, before);
      await letSshInto(one, [uuid]);
      await one.state(uuid, active);
      return uuid;
    },
    inside: (host, uuid, command, user) => inGuest(host, key, uuid, command, user),
    setTask,
    async beginResize(uuid, to) {
      await setTask(uuid, 'resize_prep');
      await to.rpc('compute', 'prep_resize', {
        instance: await one.instance(uuid),
        instance_type: flavorWire(await flavorById(one.db.knex, bigger)),
        image: await one.ask({ do: 'image', args: 'ami' }),
        reservations: null,
      });
    },
    async migration(uuid) {
      const last = await one.db
        .knex('migrations')
        .where({ instance_uuid: uuid })
        .orderBy('id', 'desc')
        .first('id');
      const { id } = must(last, 'it was resized');
      return { instance: await one.instance(uuid), migration_id: id, reservations: null };
    },
    async beginLive(uuid, from, to, block_migration) {
      await setTask(uuid, 'migrating');
      const instance = await from.instance(uuid);
      const request = { instance, block_migration, disk_over_commit: false };
      await to.host.rpc('compute', 'check_can_live_migrate_destination', request);
      const order = { instance, dest: to.name, block_migration, migrate_data: null };
      await from.rpc('compute', 'live_migration', order);
    },
    nothing: uuid =>
      eventually(
        async () => ({ one: await one.traces(uuid), two: await two.traces(uuid) }),
        left => left.one.length + left.two.length === 0,
      ),
  };
}
