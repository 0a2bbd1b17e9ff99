import { fakeDriver, startCompute } from '@folsom/compute-agent';
import { systemClock } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { lastAuditPeriod } from '@folsom/nova/audit-period';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { INSTANCE_EVENTS } from '@folsom/nova/instance-notifications';
import { NOTIFICATIONS } from '@folsom/nova/notifications';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  admin,
  castBoot,
  memoryImages,
  testConfig,
  testDatabase,
  testWorld,
  until,
  userContext,
  wire,
} from './compute-cloud.ts';

/** What Folsom says of an instance in every event. */
const FACTS = (
  'access_ip_v4 access_ip_v6 architecture availability_zone created_at deleted_at disk_gb display_name ephemeral_gb host ' +
  'image_meta image_ref_url instance_id instance_type instance_type_id kernel_id launched_at memory_mb metadata os_type ' +
  'ramdisk_id reservation_id root_gb state state_description tenant_id user_id vcpus'
).split(' ');

/** All events of instances of Folsom's nova-compute. */
const FOLSOM = (
  'create.start create.end delete.start delete.end exists finish_resize.start finish_resize.end create_ip.start create_ip.end ' +
  'delete_ip.start delete_ip.end power_off.start power_off.end power_on.start power_on.end reboot.start reboot.end ' +
  'rebuild.start rebuild.end resize.start resize.end resize.prep.start resize.prep.end resize.confirm.start ' +
  'resize.confirm.end resize.revert.start resize.revert.end resume shutdown.start shutdown.end snapshot.start snapshot.end ' +
  'suspend update'
)
  .split(' ')
  .sort();

/** All others of Folsom's nova services: event, who says it, how urgently. */
const OTHERS = `
error_notification                error     ERROR
network.floating_ip.allocate      network   INFO
network.floating_ip.associate     network   INFO
network.floating_ip.deallocate    network   INFO
network.floating_ip.disassociate  network   INFO
scheduler.live_migration          scheduler ERROR
scheduler.prep_resize             scheduler ERROR
scheduler.run_instance            scheduler ERROR
scheduler.run_instance.end        scheduler INFO
scheduler.run_instance.scheduled  scheduler INFO
scheduler.run_instance.start      scheduler INFO
volume.create.end                 volume    INFO
volume.create.start               volume    INFO
volume.delete.end                 volume    INFO
volume.delete.start               volume    INFO
volume.exists                     volume    INFO`;

/** Messages to Folsom's nova-compute whose failures are told under their names. */
const FAILING = `
add_aggregate_host add_fixed_ip_to_instance attach_volume change_instance_metadata check_can_live_migrate_destination
check_can_live_migrate_source confirm_resize detach_volume finish_resize finish_revert_resize get_console_output
get_diagnostics get_host_uptime get_vnc_console host_maintenance_mode host_power_action inject_file pause_instance
power_off_instance power_on_instance prep_resize reboot_instance rebuild_instance refresh_instance_security_rules
refresh_provider_fw_rules refresh_security_group_members refresh_security_group_rules remove_aggregate_host
remove_fixed_ip_from_instance remove_volume_connection rescue_instance reserve_block_device_name resize_instance
resume_instance revert_resize run_instance set_admin_password set_host_enabled snapshot_instance start_instance
stop_instance suspend_instance terminate_instance unpause_instance unrescue_instance validate_console_port`;

interface Heard {
  topic: string;
  priority: string;
  body: Record<string, unknown> & { event_type: string; payload: Record<string, unknown> };
}

const MAC_BYTES = { bytesIn: 1000, bytesOut: 500 };

/** A compute host that has all it does heard. */
async function hearing() {
  const world = testWorld();
  const db = await testDatabase();
  const local = createLocalBus(world);
  const heard: Heard[] = [];
  const bus = {
    ...local,
    notify: async (_context: unknown, topic: string, priority: string, body: unknown) =>
      void heard.push({ topic, priority, body: body as Heard['body'] }),
  };
  const config = testConfig({
    notification_driver: 'nova.openstack.common.notifier.rabbit_notifier',
    notify_on_state_change: 'vm_and_task_state',
    allow_resize_to_same_host: true,
    instance_usage_audit: true,
    bandwidth_poll_interval: 1,
  });
  const images = memoryImages();
  images.add({ id: 'image-1' }, Buffer.from('image'));
  images.add({ id: 'copy', status: 'queued' });
  const network = await startNetwork({ config, db, bus, world });
  await networkContract.client(bus).create_networks(admin, { label: 'private', cidr: '10.0.0.0/26' });
  const fake = fakeDriver({ host: 'node1' });
  const driver: typeof fake = {
    ...fake,
    cardCounters: async guest => {
      const card = await db.knex('virtual_interfaces').where({ instance_uuid: guest.uuid }).first('address');
      return card === undefined ? [] : [{ mac: String(card.address), ...MAC_BYTES }];
    },
  };
  const compute = await startCompute({ config, db, bus, world, driver, images });
  const stop = async () => {
    await compute.stop();
    await network.stop();
    await db.close();
  };
  return { db, bus, images, compute, heard, stop };
}

/** With everything that Folsom says in such a message. */
function expectWhole({ topic, priority, body }: Heard): void {
  const event = body.event_type.replace('compute.instance.', '') as keyof typeof INSTANCE_EVENTS;
  expect([topic, priority, body.publisher_id]).toEqual(['notifications', 'INFO', 'compute.node1']);
  expect(Object.keys(body).sort()).toEqual([
    'event_type',
    'message_id',
    'payload',
    'priority',
    'publisher_id',
    'timestamp',
  ]);
  expect([event, Object.keys(body.payload).sort()]).toEqual([
    event,
    [...new Set([...FACTS, ...INSTANCE_EVENTS[event]])].sort(),
  ]);
}

it('has a place for every event of Folsom, and none besides', () => {
  const wanted = [
    ...FOLSOM.map(event => [`compute.instance.${event}`, 'compute', 'INFO']),
    ...OTHERS.trim()
      .split('\n')
      .map(line => line.split(/ +/)),
    ...FAILING.trim()
      .split(/\s+/)
      .map(method => [method, 'compute', 'ERROR']),
  ].map(words => words.join(' '));
  const ours = Object.entries(NOTIFICATIONS).map(([event, { publishers, priority }]) =>
    [event, publishers.find(one => event.startsWith(one)) ?? 'compute', priority].join(' '),
  );
  expect(ours.sort()).toEqual(wanted.sort());
});

it('says that a message failed, under its name, and none of its secrets', async () => {
  const { db, bus, compute, heard, stop } = await hearing();
  try {
    const uuid = await addInstance(db, await addFlavor(db));
    await castBoot(bus, db, uuid);
    await until(db, uuid, row => row.vm_state === 'active' && row.task_state === null);
    const failures = () => heard.filter(({ priority }) => priority === 'ERROR').map(({ body }) => body);
    const client = computeContract.client(bus);
    const instance = await wire(db, uuid);
    const to = { host: 'node1' };
    // What a host does not know, and what its driver cannot do.
    const unknown = { ...instance, uuid: '00000000-0000-0000-0000-000000000000' };
    await client.inject_file(
      userContext,
      { instance: unknown, path: '/a', file_contents: 'secret words' },
      to,
    );
    await expect.poll(() => failures().length).toBe(1);
    await expect(
      client.validate_console_port(userContext, { instance, port: 1, console_type: 'novnc' }, to),
    ).resolves.toBeDefined();
    await expect(client.get_diagnostics(userContext, { instance: unknown }, to)).rejects.toThrow();
    // One that came twice is no failure.
    await client.stop_instance(userContext, { instance }, to);
    await client.get_diagnostics(userContext, { instance }, to);
    await compute.tick();
    expect(failures()).toMatchObject([
      {
        event_type: 'inject_file',
        publisher_id: 'compute.node1',
        payload: {
          args: [],
          exception: { kwargs: { instance_id: unknown.uuid, code: 404 } },
          instance: { uuid: unknown.uuid },
          path: '/a',
        },
      },
      { event_type: 'get_diagnostics', payload: { exception: { kwargs: { code: 404 } } } },
    ]);
    expect(JSON.stringify(heard)).not.toContain('secret words');
    for (const body of failures())
      expect(NOTIFICATIONS[body.event_type]).toMatchObject({ publishers: ['compute'], priority: 'ERROR' });
  } finally {
    await stop();
  }
});

it('says of everything that nova-compute does what Folsom says of it', async () => {
  const { db, bus, images, compute, heard, stop } = await hearing();
  try {
    const client = computeContract.client(bus);
    const [flavor, bigger] = [await addFlavor(db), await addFlavor(db, { name: 'm1.more', memory_mb: 256 })];
    const uuid = await addInstance(db, flavor);
    await castBoot(bus, db, uuid);
    const is = (vm_state: string) => (row: Record<string, unknown>) =>
      row.vm_state === vm_state && row.task_state === null;
    await until(db, uuid, is('active'));
    type Method = Exclude<keyof typeof client, symbol>;
    const act = async (method: Method, task: string | null, wanted: string, extra = {}): Promise<void> => {
      await db.knex('instances').where({ uuid }).update({ task_state: task });
      const message = { instance: await wire(db, uuid), ...extra };
      await (client[method] as (...values: unknown[]) => Promise<unknown>)(userContext, message, {
        host: 'node1',
      });
      await until(db, uuid, is(wanted));
    };
    const told = (event: string) =>
      expect.poll(() => heard.map(({ body }) => body.event_type)).toContain(`compute.instance.${event}`);
    await act('stop_instance', 'stopping', 'stopped');
    await act('start_instance', 'starting', 'active');
    await act('reboot_instance', 'rebooting', 'active', { reboot_type: 'SOFT' });
    await act('suspend_instance', 'suspending', 'suspended');
    await act('resume_instance', 'resuming', 'active');
    await act('snapshot_instance', 'image_snapshot', 'active', {
      image_id: 'copy',
      image_type: 'snapshot',
      backup_type: null,
      rotation: null,
    });
    await act('rebuild_instance', 'rebuilding', 'active', {
      image_ref: 'image-1',
      new_pass: null,
      injected_files: [],
      orig_image_ref: 'image-0',
      orig_sys_metadata: { image_kind: 'old', other: 'x' },
    });
    const network_id = (await db.knex('networks').first('uuid'))!.uuid;
    await act('add_fixed_ip_to_instance', null, 'active', { network_id });
    await told('create_ip.end');
    const second = (await db
      .knex('fixed_ips')
      .where({ instance_uuid: uuid })
      .orderBy('id', 'desc')
      .first('address'))!;
    await act('remove_fixed_ip_from_instance', null, 'active', { address: second.address });
    await told('delete_ip.end');
    const resize = async () => {
      await act('prep_resize', 'resize_prep', 'resized', {
        instance_type: flavorWire(await flavorById(db.knex, bigger)),
        image: images.stored.get('image-1')!.image,
        reservations: null,
      });
      const row = await db.knex('migrations').orderBy('id', 'desc').first('id');
      return { migration_id: row!.id, reservations: null };
    };
    await act('revert_resize', 'resize_reverting', 'active', await resize());
    const migration = await resize();
    await db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
    await act('confirm_resize', null, 'active', migration);
    await told('resize.confirm.end');
    await compute.tick();
    await act('terminate_instance', 'deleting', 'deleted');

    const events = () => new Set(heard.map(({ body }) => body.event_type.replace('compute.instance.', '')));
    await expect.poll(() => [...events()].sort()).toEqual(FOLSOM);
    expect(Object.keys(INSTANCE_EVENTS).sort()).toEqual(FOLSOM);
    for (const one of heard) expectWhole(one);
    const rebuilt = heard.find(({ body }) => body.event_type.endsWith('.exists'))!.body.payload;
    expect(rebuilt).toMatchObject({ image_meta: { kind: 'old' } });
    expect(rebuilt.image_ref_url).toMatch(/\/images\/image-0$/);
  } finally {
    await stop();
  }
});

it('tells once a period what was there and what it has sent, as its cards have counted', async () => {
  const { db, bus, compute, heard, stop } = await hearing();
  try {
    const uuid = await addInstance(db, await addFlavor(db));
    await castBoot(bus, db, uuid);
    await until(db, uuid, row => row.vm_state === 'active' && row.task_state === null);
    const now = systemClock.now();
    const current = lastAuditPeriod('month', now).end;
    await compute.tick();
    const used = () => db.knex('bw_usage_cache').where({ uuid }).first('bw_in', 'bw_out');
    expect(await used()).toEqual({ bw_in: MAC_BYTES.bytesIn, bw_out: MAC_BYTES.bytesOut });

    // It was there in the last whole period, and used its card.
    await db.knex('task_log').delete();
    const { begin } = lastAuditPeriod('month', now);
    await db
      .knex('instances')
      .where({ uuid })
      .update({ launched_at: toSqlTime(begin + 1000) });
    await db
      .knex('bw_usage_cache')
      .where({ uuid })
      .update({ start_period: toSqlTime(begin) });
    heard.length = 0;
    await compute.tick();
    await compute.tick();
    const told = heard.filter(({ body }) => body.event_type === 'compute.instance.exists');
    expect(told.map(({ body }) => body.payload)).toMatchObject([
      { instance_id: uuid, bandwidth: { private: { bw_in: 1000, bw_out: 500 } } },
    ]);
    const audit = (await db.knex('task_log'))[0];
    expect(audit).toMatchObject({ state: 'DONE', host: 'node1', task_items: 1, errors: 0 });
    expect(audit!.period_ending).toBe(new Date(current).toISOString().slice(0, 19).replace('T', ' '));
  } finally {
    await stop();
  }
});
