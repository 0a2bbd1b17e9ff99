import { filterDuties, firewall, hostedGuests } from '@folsom/compute-agent/testing';
import { silentLogger } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Runner } from '@folsom/host/runner';
import { instanceName, joinInstances } from '@folsom/nova/instance-records';
import { instancesOnHost } from '@folsom/nova/instances';

interface Row {
  id: number;
  uuid: string;
  project_id: string;
  host: string | null;
  vm_state: string;
  task_state: string | null;
  deleted: number;
  memory_mb: number;
  vcpus: number;
}

/** Resources of quota_usages by the name the API shows them by. */
const WRITTEN = { instances: 'totalInstancesUsed', cores: 'totalCoresUsed', ram: 'totalRAMUsed' };

/** A cloud as an observer sees it, and what its users know. */
export interface Observed {
  db: Database;
  hosts: readonly string[];
  /** Guests that a host's hypervisor has. */
  guests(host: string): Promise<string[]>;
  /** What a host lets through. */
  packetFilter(host: string): Runner;
  /** Servers whose boot was acknowledged. */
  servers: readonly { id: string; deletion: 'none' | 'asked' | 'acknowledged' }[];
  tenants: readonly {
    id: string;
    name: string;
    /** What `/limits` says. */
    absolute(): Promise<Record<string, number>>;
  }[];
}

/** The rows, read once. */
interface View {
  cloud: Observed;
  knex: Database['knex'];
  rows: Row[];
  alive: Row[];
  byId: Map<string, Row>;
}

const show = (row: Row) => `${row.uuid} (${row.vm_state}/${row.task_state} on ${row.host})`;

/** What must hold of a nova that has come to rest. Answers what does not, one sentence each: lost, stuck or leaked. */
export async function novaInvariants(cloud: Observed): Promise<string[]> {
  const { knex } = cloud.db;
  const rows = (await knex('instances').select()) as Row[];
  const byId = new Map(rows.map(row => [row.uuid, row]));
  const view: View = { cloud, knex, rows, byId, alive: rows.filter(row => row.deleted === 0) };
  const out = unfinished(view);
  for (const look of [addresses, guests, hosts, messages, quotas, moves]) out.push(...(await look(view)));
  out.push(...(await openDoors(cloud)));
  return out;
}

/** Every task ends, and nothing acknowledged is lost. */
function unfinished({ cloud, alive, byId }: View): string[] {
  const out: string[] = [];
  for (const row of alive) {
    if (row.task_state !== null) out.push(`stuck: ${show(row)}: its task never ends`);
    else if (row.vm_state === 'building') out.push(`stuck: ${show(row)}: its build never ends`);
  }

  for (const { id, deletion } of cloud.servers) {
    const row = byId.get(id);
    if (row === undefined) out.push(`lost: ${id}: acknowledged, and there is no trace of it`);
    else if (deletion === 'acknowledged' && row.deleted === 0)
      out.push(`stuck: ${show(row)}: its deletion was acknowledged`);
    else if (deletion === 'none' && row.deleted !== 0)
      out.push(`lost: ${show(row)}: is gone, and nobody deleted it`);
  }
  return out;
}

/** Addresses belong to instances, one each. */
async function addresses({ knex, rows, byId }: View): Promise<string[]> {
  const out: string[] = [];
  const held = (await knex('fixed_ips').whereNotNull('instance_uuid').select('address', 'instance_uuid')) as {
    address: string;
    instance_uuid: string;
  }[];
  const cards = (await knex('virtual_interfaces').where({ deleted: 0 }).select('instance_uuid')) as {
    instance_uuid: string;
  }[];
  for (const row of rows) {
    const count = held.filter(one => one.instance_uuid === row.uuid).length;
    const plugged = cards.filter(one => one.instance_uuid === row.uuid).length;
    if (row.deleted !== 0 || (row.vm_state === 'error' && row.host === null)) {
      if (count > 0) out.push(`leaked: ${show(row)}: is gone and still has ${count} addresses`);
      if (plugged > 0) out.push(`leaked: ${show(row)}: is gone and still has ${plugged} cards`);
    } else if (row.vm_state !== 'error' && (count !== 1 || plugged !== 1))
      out.push(`lost: ${show(row)}: has ${count} addresses and ${plugged} cards`);
  }
  for (const { address, instance_uuid } of held)
    if (!byId.has(instance_uuid)) out.push(`leaked: ${address} belongs to ${instance_uuid}, which never was`);
  return out;
}

/** Guests are where the database says. */
async function guests({ cloud, knex, rows, alive }: View): Promise<string[]> {
  const out: string[] = [];
  const moving = new Set(
    (
      (await knex('migrations').where({ status: 'finished', deleted: 0 }).select('instance_uuid')) as {
        instance_uuid: string;
      }[]
    ).map(one => one.instance_uuid),
  );
  const nameOf = (row: Row) => `instance-${row.id.toString(16).padStart(8, '0')}`;
  const byName = new Map(rows.map(row => [nameOf(row), row]));
  const places = new Map<string, string[]>();
  for (const host of cloud.hosts) {
    for (const name of await cloud.guests(host)) places.set(name, [...(places.get(name) ?? []), host]);
  }
  for (const [name, hosts] of places) {
    const row = byName.get(name);
    if (row === undefined) out.push(`leaked: ${hosts} run ${name}, which never was`);
    else if (row.deleted !== 0) out.push(`leaked: ${show(row)}: still runs on ${hosts}`);
    // What is left of a move that failed is the operator's to look at.
    else if (
      row.vm_state !== 'resized' &&
      row.vm_state !== 'error' &&
      !moving.has(row.uuid) &&
      hosts.some(host => host !== row.host)
    )
      out.push(`leaked: ${show(row)}: runs on ${hosts}`);
  }
  for (const row of alive) {
    if (row.vm_state === 'error') continue;
    if (row.host === null) out.push(`lost: ${show(row)}: has no host`);
    else if (!places.get(nameOf(row))?.includes(row.host))
      out.push(`lost: ${show(row)}: does not run on its host`);
  }
  return out;
}

/** What hosts report is what is on them. */
async function hosts({ knex, alive }: View): Promise<string[]> {
  const out: string[] = [];
  const nodes = (await knex('compute_nodes as n')
    .join('services as s', 's.id', 'n.service_id')
    .where({ 'n.deleted': 0 })
    .select('s.host as host', 'n.memory_mb_used as used', 'n.running_vms as count')) as {
    host: string;
    used: number;
    count: number;
  }[];
  for (const { host, used, count } of nodes) {
    const here = alive.filter(row => row.host === host);
    const memory = 512 + here.reduce((sum, row) => sum + row.memory_mb, 0);
    if (used !== memory)
      out.push(`${host} reports ${used} MB used; its ${here.length} instances take ${memory}`);
    if (count !== here.length) out.push(`${host} reports ${count} guests and has ${here.length}`);
  }
  return out;
}

/** No message is kept for ever, and no promise. */
async function messages({ knex }: View): Promise<string[]> {
  const out: string[] = [];
  const kept = await knex('folsom_outbox').select('topic', 'body', 'dead_reason');
  for (const { topic, body, dead_reason } of kept)
    out.push(`stuck: a message to ${topic} is still kept: ${JSON.parse(body).method} ${dead_reason ?? ''}`);
  const promised = await knex('reservations').where({ deleted: 0 }).select('uuid', 'resource', 'delta');
  if (promised.length > 0) out.push(`leaked: reservations of nobody: ${JSON.stringify(promised)}`);
  return out;
}

/** Nobody uses more than he may, and both tables say what the rows are. */
async function quotas({ cloud, knex, alive }: View): Promise<string[]> {
  const out: string[] = [];
  for (const tenant of cloud.tenants) {
    const mine = alive.filter(row => row.project_id === tenant.id);
    const absolute = await tenant.absolute();
    const real: Record<string, number> = {
      totalInstancesUsed: mine.length,
      totalCoresUsed: mine.reduce((sum, row) => sum + row.vcpus, 0),
      totalRAMUsed: mine.reduce((sum, row) => sum + row.memory_mb, 0),
    };
    const limits: Record<string, number> = {
      totalInstancesUsed: absolute.maxTotalInstances!,
      totalCoresUsed: absolute.maxTotalCores!,
      totalRAMUsed: absolute.maxTotalRAMSize!,
    };
    // What an original would go by.
    const written = (await knex('quota_usages').where({ project_id: tenant.id })) as {
      resource: string;
      in_use: number;
      reserved: number;
    }[];
    for (const [resource, name] of Object.entries(WRITTEN)) {
      const seen = written.filter(row => row.resource === resource).map(row => row.in_use);
      if (seen.length !== 1 || seen[0] !== real[name])
        out.push(`${tenant.name}: ${resource} is written down as ${seen}, really ${real[name]}`);
    }
    for (const [name, value] of Object.entries(real)) {
      if (absolute[name] !== value) out.push(`${tenant.name}: ${name} is ${absolute[name]}, really ${value}`);
      if (value > limits[name]!) out.push(`${tenant.name}: ${name} is ${value}, over ${limits[name]}`);
    }
  }
  return out;
}

/** No move of what is there is left in the middle; the note of one that its instance's deletion ended is history. */
async function moves({ knex, byId }: View): Promise<string[]> {
  const out: string[] = [];
  const migrations = (await knex('migrations')
    .whereNotIn('status', ['finished', 'confirmed', 'reverted', 'error'])
    .where({ deleted: 0 })
    .select('id', 'status', 'instance_uuid')) as { id: number; status: string; instance_uuid: string }[];
  for (const one of migrations.filter(({ instance_uuid }) => byId.get(instance_uuid)?.deleted === 0))
    out.push(`stuck: migration ${one.id} of ${one.instance_uuid} stays ${one.status}`);
  return out;
}

/** Where a host lets through something else than the rows say. */
async function openDoors({ db, hosts, packetFilter }: Observed): Promise<string[]> {
  const out: string[] = [];
  for (const host of hosts) {
    const records = await joinInstances(db.knex, await instancesOnHost(db.knex, host));
    const here = records.map(record => ({ ...record, name: instanceName('instance-%08x', record) }));
    const settings = { instance_name_template: 'instance-%08x' };
    const guests = await hostedGuests({ db, host, settings }, here);
    const walls = firewall({ db, runner: packetFilter(host), log: silentLogger, allowSameNetTraffic: true });
    const found = await filterDuties(walls).checkFirewall(guests, false);
    out.push(...found.map(text => `leaked: ${host}: ${text}`));
  }
  return out;
}
