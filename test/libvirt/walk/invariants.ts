import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostRunner } from '@folsom/host/runner';
import { novaInvariants } from '../../simulation/invariants.ts';
import { settled } from '../../torture/audit.ts';
import { asLeft, itself } from './itself.ts';
import { onHost, type Server, virsh, volumeFolder, type World } from './world.ts';

/** The audits of nova-compute have their time too. */
const SETTLE_MS = 90_000;

/** What does not hold, one sentence each: rows, hypervisor, leases, rules, volumes, quota and, where asked, the guests themselves. */
export async function wrong(world: World, ask: boolean): Promise<string[]> {
  const still = await settled(
    async () => [
      ...(await rows(world)),
      ...(await leases(world)),
      ...(await volumes(world)),
      ...(await exports(world)),
      ...(await floating(world)),
    ],
    SETTLE_MS,
  );
  for (const server of world.servers) still.push(...(await asLeft(world, server)));
  if (!ask) return still;
  const running = world.servers.filter(({ state }) => ['active', 'resized', 'rescued'].includes(state));
  for (const server of running) still.push(...(await itself(world, server)));
  still.push(...(await settled(() => leased(world, running), SETTLE_MS)));
  return still;
}

const rows = (world: World): Promise<string[]> =>
  novaInvariants({
    db: world.db,
    hosts: [world.hostName],
    guests: async () => (await virsh('list', '--all', '--name')).split('\n').filter(Boolean),
    packetFilter: () => hostRunner,
    servers: world.servers.map(({ id }) => ({ id, deletion: 'none' as const })),
    tenants: [
      {
        id: world.tenantId,
        name: 'demo',
        absolute: async () =>
          (await world.compute<{ limits: { absolute: Record<string, number> } }>('GET', '/limits')).limits
            .absolute,
      },
    ],
  });

/** Who DHCP serves. */
async function leases(world: World): Promise<string[]> {
  const text = await readFile(join(world.dir, 'nova', 'networks', 'nova-br100.conf'), 'utf8');
  const served = [...text.matchAll(/(\d+\.\d+\.\d+\.\d+)\s*$/gm)].map(([, address]) => address).sort();
  const held = (await world.db
    .knex('fixed_ips')
    .where({ allocated: 1 })
    .whereNotNull('instance_uuid')
    .select('address')) as { address: string }[];
  const wanted = held.map(({ address }) => address).sort();
  return served.join() === wanted.join() ? [] : [`DHCP serves ${served}, and ${wanted} are allocated`];
}

/** Guests that have answered have asked it: one that boots gives its address back and takes it anew. */
async function leased(world: World, servers: readonly Server[]): Promise<string[]> {
  const found = (await world.db
    .knex('fixed_ips')
    .whereIn(
      'address',
      servers.map(({ address }) => address),
    )
    .whereNot({ leased: 1 })
    .select('address')) as { address: string }[];
  return found.map(({ address }) => `${address} is in use and not leased`);
}

/** What nova-volume keeps is of volumes that are there, whole. */
async function exports(world: World): Promise<string[]> {
  const kept = (await readdir(volumeFolder(world))).sort();
  const wanted = world.volumes.map(({ id }) => `volume-${id}`).sort();
  return kept.join() === wanted.join() ? [] : [`nova-volume keeps ${kept}, and ${wanted} were made`];
}

/** Floating addresses lead where the rows say, and are counted. */
async function floating(world: World): Promise<string[]> {
  const { knex } = world.db;
  const bound = (await knex('floating_ips as f')
    .join('fixed_ips as i', 'i.id', 'f.fixed_ip_id')
    .where({ 'f.deleted': 0 })
    .select('f.address as address', 'i.address as fixed')) as { address: string; fixed: string }[];
  const wanted = bound.map(({ address, fixed }) => `${address} ${fixed}`).sort();
  const rules = await onHost('iptables-save', '-t', 'nat');
  const led = [...rules.matchAll(/-d (\S+)\/32 -j DNAT --to-destination (\d+(?:\.\d+){3})$/gm)];
  const is = [...new Set(led.map(([, address, fixed]) => `${address} ${fixed}`))].sort();
  const out = is.join() === wanted.join() ? [] : [`the host translates ${is} where ${wanted} is associated`];
  const held = await knex('floating_ips').where({ deleted: 0, project_id: world.tenantId }).select('id');
  const whose = { project_id: world.tenantId, resource: 'floating_ips' };
  const usage = await knex('quota_usages').where(whose).first('in_use');
  if (usage !== undefined && usage.in_use !== held.length)
    out.push(`floating_ips are written down as ${usage.in_use}, really ${held.length}`);
  return out;
}

/** Volumes are where their servers are, and as many as are counted. */
async function volumes(world: World): Promise<string[]> {
  const out: string[] = [];
  const { knex } = world.db;
  const found = (await knex('volumes')
    .where({ deleted: 0 })
    .select('id', 'status', 'instance_uuid', 'mountpoint', 'size')) as {
    id: string;
    status: string;
    instance_uuid: string | null;
    mountpoint: string | null;
    size: number;
  }[];
  for (const { id, device } of world.volumes) {
    const row = found.find(one => one.id === id);
    const holder = world.servers.find(server => server.volumes.some(volume => volume.id === id));
    const wanted = holder === undefined ? `available null null` : `in-use ${holder.id} /dev/${device}`;
    const is = `${row?.status} ${row?.instance_uuid} ${row?.mountpoint}`;
    if (is !== wanted) out.push(`volume ${id} is ${is} where ${wanted} was expected`);
  }
  if (found.length !== world.volumes.length)
    out.push(`${found.length} volumes are there, ${world.volumes.length} were made`);
  const mapped = (await knex('block_device_mapping')
    .where({ deleted: 0 })
    .whereNotNull('volume_id')
    .select('volume_id')) as {
    volume_id: string;
  }[];
  const attached = world.volumes.filter(({ device }) => device !== undefined);
  if (mapped.length !== attached.length)
    out.push(`${mapped.length} volumes are in mappings, ${attached.length} are attached`);
  const sizes = found.reduce((sum, { size }) => sum + size, 0);
  for (const [resource, value] of [
    ['volumes', found.length],
    ['gigabytes', sizes],
  ] as const) {
    const usage = await knex('quota_usages').where({ project_id: world.tenantId, resource }).first('in_use');
    if (usage !== undefined && usage.in_use !== value)
      out.push(`${resource} are written down as ${usage.in_use}, really ${value}`);
  }
  return out;
}
