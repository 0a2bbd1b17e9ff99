import type { Database } from '@folsom/db';
import type { GoldenScenario } from '@folsom/testing';

// The recordings of nova-manage say what the recorded cloud held only through what it printed: these functions turn
// listings back into rows, so that the commands in between run on the same cloud.

const MISSING = 'None';
const orNull = (text: string | undefined): string | null =>
  text === undefined || text === MISSING ? null : text;
const rowsOf = (scenario: GoldenScenario): string[] =>
  scenario.stdout
    .split('\n')
    .slice(1)
    .filter(line => line.trim() !== '');
const serial = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

/** `service list` */
export async function seedServices(db: Database, listing: GoldenScenario): Promise<void> {
  for (const line of rowsOf(listing)) {
    const [binary, host, zone, status, , day, time] = line.split(/\s+/);
    await db.knex('services').insert({
      binary,
      host,
      topic: binary!.replace('nova-', ''),
      availability_zone: zone,
      disabled: status === 'disabled' ? 1 : 0,
      report_count: 1,
      deleted: 0,
      created_at: `${day} ${time}`,
      updated_at: `${day} ${time}`,
    });
  }
}

/** `service describe_resource`: the totals of its host. */
export async function seedComputeNode(db: Database, listing: GoldenScenario): Promise<void> {
  const numbers = (kind: string) =>
    rowsOf(listing)
      .find(line => line.includes(kind))!
      .split(kind)[1]!
      .trim()
      .split(/\s+/)
      .map(Number);
  const [vcpus, memory_mb, local_gb] = numbers('(total)');
  const [vcpus_used, memory_mb_used, local_gb_used] = numbers('(used_now)');
  const host = rowsOf(listing)[0]!.split(/\s+/)[0];
  const service = (await db.knex('services').where({ host, binary: 'nova-compute' }).first('id'))!;
  await db.knex('compute_nodes').insert({
    service_id: service.id,
    vcpus,
    memory_mb,
    local_gb,
    vcpus_used,
    memory_mb_used,
    local_gb_used,
    hypervisor_type: 'fake',
    hypervisor_version: 1,
    cpu_info: '?',
    hypervisor_hostname: host,
    deleted: 0,
  });
}

/** `flavor list`: replaces what a new database begins with. */
export async function seedFlavors(db: Database, listing: GoldenScenario): Promise<void> {
  await db.knex('instance_types').delete();
  for (const line of listing.stdout.split('\n').filter(text => text !== '')) {
    const match =
      /^(.+?): Memory: (\d+)MB, VCPUS: (\d+), Root: (\d+)GB, Ephemeral: (\d+)Gb, FlavorID: (\S+), Swap: (\d+)MB, RXTX Factor: ([\d.]+), (public|private), ExtraSpecs \{(?:u'(.+)': u'(.+)')?\}$/.exec(
        line,
      );
    if (!match) throw new Error(`unreadable flavor: ${line}`);
    const [, name, memory_mb, vcpus, root_gb, ephemeral_gb, flavorid, swap, rxtx_factor, access, key, value] =
      match;
    const [id] = await db.knex('instance_types').insert({
      name,
      memory_mb: Number(memory_mb),
      vcpus: Number(vcpus),
      root_gb: Number(root_gb),
      ephemeral_gb: Number(ephemeral_gb),
      flavorid,
      swap: Number(swap),
      rxtx_factor: Number(rxtx_factor),
      is_public: access === 'public' ? 1 : 0,
      disabled: 0,
      deleted: 0,
    });
    if (key !== undefined) {
      await db.knex('instance_type_extra_specs').insert({ instance_type_id: id, key, value, deleted: 0 });
    }
  }
}

/** `vm list` */
export async function seedServers(db: Database, listing: GoldenScenario): Promise<void> {
  for (const [index, line] of rowsOf(listing).entries()) {
    const match =
      /^(.+?)\s+(\S+)\s+(\S+)\s+(\S+)\s+(None|\S+ \S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\d+)\s*$/.exec(
        line,
      );
    if (!match) throw new Error(`unreadable server: ${line}`);
    const [, name, host, type, state, launched, image, project, user, zone, launchIndex] = match;
    const flavor = (await db.knex('instance_types').where({ name: type, deleted: 0 }).first())!;
    await db.knex('instances').insert({
      uuid: serial(index + 1),
      display_name: name,
      hostname: name!.toLowerCase().replaceAll(' ', '-'),
      host: orNull(host),
      instance_type_id: flavor.id,
      memory_mb: flavor.memory_mb,
      vcpus: flavor.vcpus,
      root_gb: flavor.root_gb,
      ephemeral_gb: flavor.ephemeral_gb,
      vm_state: state,
      launched_at: orNull(launched),
      image_ref: image,
      kernel_id: '',
      ramdisk_id: '',
      project_id: project,
      user_id: user,
      availability_zone: orNull(zone),
      launch_index: Number(launchIndex),
      deleted: 0,
    });
  }
}

/** `network list`, without addresses. */
export async function seedNetworks(db: Database, listing: GoldenScenario): Promise<void> {
  for (const line of rowsOf(listing)) {
    const [id, cidr, cidr_v6, dhcp_start, dns1, dns2, vlan, project_id, uuid] = line
      .split('\t')
      .map(cell => orNull(cell.trim()));
    await db.knex('networks').insert({
      id: Number(id),
      cidr,
      cidr_v6,
      dhcp_start,
      dns1,
      dns2,
      vlan: vlan == null ? null : Number(vlan),
      project_id,
      uuid,
      label: `network ${id}`,
      multi_host: 0,
      injected: 0,
      deleted: 0,
    });
  }
}

/** `fixed list`: addresses that are missing, and who has them. */
export async function seedFixedIps(db: Database, listing: GoldenScenario): Promise<void> {
  const networks = new Map(
    (await db.knex('networks').where('deleted', 0).select('id', 'cidr')).map(row => [row.cidr, row.id]),
  );
  let number = 500_000;
  let orphan = false;
  for (const line of rowsOf(listing)) {
    if (line.startsWith('WARNING')) {
      orphan = true;
      continue;
    }
    const [cidr, address, hostname, host] = line.split('\t').map(cell => cell.trim());
    let instance_uuid: string | null = null;
    if (orphan || hostname !== MISSING) {
      const found = orphan
        ? undefined
        : await db
            .knex('instances')
            .where({ hostname, host: orNull(host), deleted: 0 })
            .first('uuid');
      instance_uuid = found?.uuid ?? serial(++number);
      if (!found) {
        await db.knex('instances').insert({
          uuid: instance_uuid,
          hostname: orphan ? 'gone' : hostname,
          host: orphan ? null : orNull(host),
          deleted: orphan ? 1 : 0,
        });
      }
    }
    orphan = false;
    const at = { network_id: networks.get(cidr!), address: address!, deleted: 0 };
    const changed = await db.knex('fixed_ips').where(at).update({ instance_uuid });
    if (changed === 0) {
      await db.knex('fixed_ips').insert({ ...at, instance_uuid, allocated: 0, leased: 0, reserved: 0 });
    }
  }
}

/** `floating list` */
export async function seedFloatingIps(db: Database, listing: GoldenScenario): Promise<void> {
  for (const line of listing.stdout.split('\n').filter(text => text !== '')) {
    const [project_id, address, , pool, nic] = line.split('\t').map(orNull);
    await db
      .knex('floating_ips')
      .insert({ project_id, address: address!, pool, interface: nic, auto_assigned: 0, deleted: 0 });
  }
}
