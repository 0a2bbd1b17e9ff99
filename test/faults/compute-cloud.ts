import { Readable } from 'node:stream';
import type { ImageClient } from '@folsom/compute-agent';
import { configFrom } from '@folsom/config';
import {
  adminContext,
  createLogger,
  requestContext,
  seededRandom,
  silentLogger,
  systemClock,
  type World,
} from '@folsom/core';
import { type Database, dbSync, openDatabase, toSqlTime } from '@folsom/db';
import { createFlavor } from '@folsom/nova/flavors';
import { instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { novaOptions } from '@folsom/nova/options';
import { computeContract } from '@folsom/nova/rpc/compute';
import { type ConnectionInfo, volumeContract } from '@folsom/nova/rpc/volume';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { insertVolume, markAttached, markDetached, tryMoveVolume } from '@folsom/nova/volumes';
import type { Bus } from '@folsom/rpc';

/** An image service in memory. */
export interface MemoryImages extends ImageClient {
  add(image: Partial<ImageWire> & { id: string }, data?: Uint8Array): void;
  stored: Map<string, { image: ImageWire; data: Buffer }>;
}

export function memoryImages(): MemoryImages {
  const stored: MemoryImages['stored'] = new Map();
  const get = (id: string) => {
    const found = stored.get(id);
    if (found === undefined) throw new Error(`no image ${id}`);
    return found;
  };
  return {
    stored,
    add(image, data = Buffer.alloc(0)) {
      const complete: ImageWire = {
        name: image.id,
        status: 'active',
        size: data.length,
        checksum: null,
        disk_format: 'raw',
        container_format: 'bare',
        min_disk: 0,
        min_ram: 0,
        owner: null,
        is_public: true,
        created_at: null,
        updated_at: null,
        deleted_at: null,
        deleted: false,
        properties: {},
        ...image,
      };
      stored.set(image.id, { image: complete, data: Buffer.from(data) });
    },
    show: async (_context, id) => get(id).image,
    download: async (_context, id) => Readable.from([get(id).data]),
    upload: async (_context, id, facts, data) => {
      const chunks: Buffer[] = [];
      for await (const chunk of data) chunks.push(Buffer.from(chunk));
      const entry = get(id);
      Object.assign(entry.image, { ...facts, status: 'active', size: Buffer.concat(chunks).length });
      entry.data = Buffer.concat(chunks);
    },
    delete: async (_context, id) => void stored.delete(id),
    findByProperties: async (_context, wanted) =>
      [...stored.values()]
        .map(entry => entry.image)
        .filter(image => Object.entries(wanted).every(([key, value]) => image.properties[key] === value)),
  };
}

export const PROJECT = 'p'.repeat(32);
export const testWorld = (log = false): World => ({
  clock: systemClock,
  random: seededRandom(11),
  log: log ? createLogger({ level: 'debug' }) : silentLogger,
});

export const userContext = requestContext({ projectId: PROJECT, userId: 'u', authToken: 'token' });

export async function testDatabase(connection = 'sqlite://'): Promise<Database> {
  const db = await openDatabase({ connection });
  await dbSync(db, 'nova');
  return db;
}

export const testConfig = (values: Record<string, string | number | boolean> = {}) =>
  configFrom([novaOptions], {
    DEFAULT: {
      host: 'node1',
      fake_network: true,
      network_manager: 'nova.network.manager.FlatDHCPManager',
      flat_network_bridge: 'br100',
      report_interval: 0,
      ...values,
    },
  });

/** A flavor row for tests; gives its number. */
export async function addFlavor(
  db: Database,
  values: { name?: string; memory_mb?: number; root_gb?: number; ephemeral_gb?: number; swap?: number } = {},
): Promise<number> {
  const name = values.name ?? 'm1.test';
  const flavor = await createFlavor(
    db.knex,
    {
      name,
      flavorid: name,
      memory_mb: values.memory_mb ?? 128,
      vcpus: 1,
      root_gb: values.root_gb ?? 0,
      ephemeral_gb: values.ephemeral_gb ?? 0,
      swap: values.swap ?? 0,
      rxtx_factor: 1,
      is_public: true,
    },
    systemClock.now(),
  );
  return flavor.id;
}

let serial = 0;

/** What the API and the scheduler leave before a boot. */
export async function addInstance(
  db: Database,
  flavorId: number,
  values: Record<string, unknown> = {},
): Promise<string> {
  const flavor = (await db.knex('instance_types').where({ id: flavorId }).first())!;
  const uuid = `00000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`;
  await db.knex('instances').insert({
    uuid,
    project_id: PROJECT,
    user_id: 'u',
    image_ref: 'image-1',
    display_name: `guest-${serial}`,
    hostname: `guest-${serial}`,
    vm_state: 'building',
    task_state: 'scheduling',
    power_state: 0,
    instance_type_id: flavorId,
    memory_mb: flavor.memory_mb,
    vcpus: flavor.vcpus,
    root_gb: flavor.root_gb,
    ephemeral_gb: flavor.ephemeral_gb,
    reservation_id: 'r-test',
    launch_index: 0,
    locked: 0,
    deleted: 0,
    created_at: toSqlTime(systemClock.now()),
    ...values,
  });
  return uuid;
}

export const wire = async (db: Database, uuid: string) =>
  instanceWire(await instanceRecord(db.knex, uuid, { readDeleted: 'yes' }), 'instance-%08x');

/** Asks a compute host to build the instance. */
export async function castBoot(bus: Bus, db: Database, uuid: string, host = 'node1'): Promise<void> {
  await computeContract.client(bus).run_instance(
    userContext,
    {
      instance: await wire(db, uuid),
      request_spec: null,
      filter_properties: {},
      requested_networks: null,
      injected_files: [],
      admin_password: 'secret',
      is_first_time: true,
    },
    { host },
  );
}

/** Waits until an instance is as wanted; fails with what it is instead. */
export async function until(
  db: Database,
  uuid: string,
  wanted: (row: Record<string, unknown>) => boolean,
  ms = 60_000,
): Promise<Record<string, unknown>> {
  const end = systemClock.monotonic() + ms;
  for (;;) {
    const row = await db.knex('instances').where({ uuid }).first();
    if (row !== undefined && wanted(row)) return row;
    const hopeless = row?.vm_state === 'error' && row.task_state === null;
    if (hopeless || systemClock.monotonic() > end) {
      const faults = await db.knex('instance_faults').where({ instance_uuid: uuid });
      throw new Error(`${uuid} is ${row?.vm_state}/${row?.task_state}: ${JSON.stringify(faults)}`);
    }
    await systemClock.sleep(10);
  }
}

export const admin = adminContext();

/** A volume that is there to be had; gives its id. */
export async function addVolume(
  db: Database,
  values: { size?: number; host?: string } = {},
): Promise<string> {
  const id = `00000000-0000-4000-9000-${String(++serial).padStart(12, '0')}`;
  const row = { id, size: values.size ?? 1, host: values.host ?? 'node1', project_id: PROJECT, user_id: 'u' };
  await insertVolume(db.knex, row, systemClock.now());
  await tryMoveVolume(db.knex, id, 'created', systemClock.now());
  return id;
}

/** A volume in an instance's block device mapping, as a boot's API leaves it. */
export async function mapVolume(
  db: Database,
  instance_uuid: string,
  volume_id: string,
  values: Record<string, unknown> = {},
): Promise<void> {
  const created_at = toSqlTime(systemClock.now());
  const row = { instance_uuid, volume_id, device_name: '/dev/vdb', deleted: 0, created_at };
  await db.knex('block_device_mapping').insert({ ...row, delete_on_termination: 0, ...values });
}

/** What the API leaves when a volume is to be attached to an instance. */
export async function reserveFor(
  db: Database,
  instance_uuid: string,
  volume_id: string,
  device_name = '/dev/vdb',
): Promise<void> {
  const kept = { instance_uuid, mountpoint: device_name };
  await tryMoveVolume(db.knex, volume_id, 'reserve', systemClock.now(), kept);
  await mapVolume(db, instance_uuid, volume_id, { device_name });
}

/**
 * nova-volume as far as instances have to do with it. `connections` are hosts by volume. How a volume is reached stands in
 * its `provider_location`; without that it is nowhere.
 */
export async function volumeStand(bus: Bus, db: Database, host = 'node1') {
  const connections = new Map<string, Set<string>>();
  const of = (id: string) => {
    const hosts = connections.get(id) ?? new Set<string>();
    connections.set(id, hosts);
    return hosts;
  };
  const none = async () => {};
  const served = await volumeContract.serve(bus, host, {
    create_volume: async (_context, { volume_id }) =>
      void (await tryMoveVolume(db.knex, volume_id, 'created', systemClock.now())),
    delete_volume: async (_context, { volume_id }) =>
      void (await db.knex('volumes').where({ id: volume_id }).update({ deleted: 1 })),
    create_snapshot: none,
    delete_snapshot: none,
    copy_volume_to_image: none,
    check_for_export: async () => null,
    publish_service_capabilities: none,
    initialize_connection: async (_context, { volume_id, connector }) => {
      of(volume_id).add(String(connector.host));
      const { provider_location } = (await db.knex('volumes').where({ id: volume_id }).first())!;
      const nowhere: ConnectionInfo = { driver_volume_type: 'fake', data: { volume_id } };
      return provider_location === null ? nowhere : (JSON.parse(provider_location) as ConnectionInfo);
    },
    terminate_connection: async (_context, { volume_id, connector }) => {
      of(volume_id).delete(String(connector.host));
      return null;
    },
    attach_volume: async (_context, { volume_id, instance_uuid, mountpoint }) => {
      await markAttached(db.knex, volume_id, { instanceUuid: instance_uuid, mountpoint }, systemClock.now());
      return null;
    },
    detach_volume: async (_context, { volume_id }) => {
      await markDetached(db.knex, volume_id, systemClock.now());
      return null;
    },
  });
  return { served, connections, stop: () => served.stop() };
}

/** The network of a guest with one card and one address. */
export const networkOf = (address: string, cidr: string, dhcp_server: string): NetworkInfo => [
  {
    id: 'vif',
    address: 'fa:16:3e:00:00:01',
    meta: {},
    network: {
      id: 'n',
      bridge: 'br100',
      label: 'l',
      meta: { tenant_id: null },
      subnets: [
        {
          cidr,
          version: 4,
          dns: [],
          gateway: null,
          routes: [],
          meta: { dhcp_server },
          ips: [{ address, type: 'fixed', version: 4, meta: {}, floating_ips: [] }],
        },
      ],
    },
  },
];
