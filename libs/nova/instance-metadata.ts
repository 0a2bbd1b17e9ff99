import type { Database } from '@folsom/db';
import { ec2ImageId, ec2InstanceId } from './ec2-ids.ts';
import type { InstanceRecord } from './instance-records.ts';
import { instanceRecord } from './instance-records.ts';
import { LISTED_AS, pythonJson, type Tree } from './metadata-tree.ts';

/** Versions of the EC2 dialect, oldest first; a newer one has all that an older one has. */
export const EC2_VERSIONS = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
] as const;
export const OPENSTACK_VERSIONS = ['2012-08-10'] as const;

/** Everything an instance may read about itself. */
export interface InstanceMetadata {
  ec2(version: string): Tree | undefined;
  openstack(version: string): Tree | undefined;
  /** The documents of a config drive, by path; `injected` are the files that the user wanted in the guest. */
  files(injected: readonly [string, string][], adminPassword: string | null): Map<string, string>;
}

export interface MetadataSettings {
  dhcp_domain: string;
  /** EC2 versions that config drives do without, between blanks. */
  config_drive_skip_versions: string;
  node_availability_zone: string;
}

/** Collects it; `address` is the one the instance asked from. */
export async function instanceMetadata(
  db: Database,
  settings: MetadataSettings,
  instanceUuid: string,
  address: string,
  now: number,
): Promise<InstanceMetadata> {
  const instance = await instanceRecord(db.knex, instanceUuid);
  const zone = await zoneOf(db, instance.host, settings.node_availability_zone);
  const hostname = settings.dhcp_domain
    ? `${instance.hostname ?? ''}.${settings.dhcp_domain}`
    : (instance.hostname ?? '');
  const floating = await firstFloating(db, instance.uuid);
  const mapping = await blockDeviceMapping(db, instance);
  const ids = {
    instance: await ec2InstanceId(db, instance.uuid, now),
    image: instance.image_ref ? await ec2ImageId(db, 'ami', instance.image_ref, now) : '',
    kernel: instance.kernel_id ? await ec2ImageId(db, 'aki', instance.kernel_id, now) : null,
    ramdisk: instance.ramdisk_id ? await ec2ImageId(db, 'ari', instance.ramdisk_id, now) : null,
  };
  const userData =
    instance.user_data === null ? null : Buffer.from(instance.user_data, 'base64').toString('latin1');

  const ec2 = (version: string): Tree | undefined => {
    const at = EC2_VERSIONS.indexOf((version === 'latest' ? EC2_VERSIONS.at(-1) : version) as never);
    if (at < 0) return undefined;
    const since = (required: (typeof EC2_VERSIONS)[number]) => at >= EC2_VERSIONS.indexOf(required);
    const metadata: { [name: string]: Tree } = {
      'ami-id': ids.image,
      'ami-launch-index': String(instance.launch_index ?? 0),
      // Word for word what Folsom serves: there is no manifest.
      'ami-manifest-path': 'FIXME',
      'instance-id': ids.instance,
      hostname,
      'local-ipv4': address,
      'reservation-id': instance.reservation_id ?? '',
      'security-groups': instance.security_groups.map(group => group.name),
    };
    if (instance.key_name) {
      metadata['public-keys'] = {
        0: { [LISTED_AS]: `0=${instance.key_name}`, 'openssh-key': instance.key_data ?? '' },
      };
    }
    if (since('2007-01-19')) {
      metadata['local-hostname'] = hostname;
      metadata['public-hostname'] = hostname;
      metadata['public-ipv4'] = floating;
    }
    if (since('2007-08-29')) metadata['instance-type'] = instance.flavor.name;
    if (since('2007-12-15')) {
      metadata['block-device-mapping'] = mapping;
      if (ids.kernel !== null) metadata['kernel-id'] = ids.kernel;
      if (ids.ramdisk !== null) metadata['ramdisk-id'] = ids.ramdisk;
    }
    if (since('2008-02-01')) metadata.placement = { 'availability-zone': zone };
    if (since('2008-09-01')) metadata['instance-action'] = 'none';
    return { 'meta-data': metadata, ...(userData === null ? {} : { 'user-data': userData }) };
  };

  const openstack = (version: string, extra: Record<string, unknown> = {}): Tree | undefined => {
    if (version !== 'latest' && !OPENSTACK_VERSIONS.includes(version as never)) return undefined;
    const meta = Object.fromEntries(instance.metadata.map(row => [row.key, row.value]));
    const document = {
      uuid: instance.uuid,
      availability_zone: zone,
      hostname,
      launch_index: instance.launch_index ?? 0,
      ...(instance.metadata.length === 0 ? {} : { meta }),
      ...extra,
      ...(instance.key_name ? { public_keys: { [instance.key_name]: instance.key_data } } : {}),
      name: instance.display_name,
    };
    return {
      'meta_data.json': pythonJson(document),
      ...(userData === null ? {} : { user_data: userData }),
    };
  };
  const files: InstanceMetadata['files'] = (injected, adminPassword) => {
    const out = new Map<string, string>();
    const listed = injected.map(([path, content], index) => {
      const at = `/content/${String(index).padStart(4, '0')}`;
      out.set(`openstack${at}`, content);
      return { path, content_path: at };
    });
    const skipped = settings.config_drive_skip_versions.split(' ');
    for (const version of [...EC2_VERSIONS, 'latest'].filter(one => !skipped.includes(one))) {
      const documents = ec2(version) as { 'meta-data': Record<string, Tree>; 'user-data'?: string };
      out.set(`ec2/${version}/meta-data.json`, pythonJson(withoutNames(documents['meta-data'])));
      if (documents['user-data'] !== undefined) out.set(`ec2/${version}/user-data`, documents['user-data']);
    }
    for (const version of [...OPENSTACK_VERSIONS, 'latest']) {
      const extra = {
        ...(listed.length > 0 ? { files: listed } : {}),
        ...(adminPassword ? { admin_pass: adminPassword } : {}),
      };
      const documents = openstack(version, extra) as Record<string, string>;
      for (const [name, text] of Object.entries(documents)) out.set(`openstack/${version}/${name}`, text);
    }
    return out;
  };
  return { ec2, openstack, files };
}

/** A listing's own names mean nothing in a file. */
const withoutNames = (tree: Tree): Tree =>
  typeof tree === 'string' || Array.isArray(tree)
    ? tree
    : Object.fromEntries(
        Object.entries(tree)
          .filter(([name]) => name !== LISTED_AS)
          .map(([name, item]) => [name, withoutNames(item)]),
      );

async function zoneOf(db: Database, host: string | null, fallback: string): Promise<string> {
  if (host === null) return fallback;
  const row = await db
    .knex('services')
    .where({ host, topic: 'compute', deleted: 0 })
    .first('availability_zone');
  return row?.availability_zone ?? fallback;
}

async function firstFloating(db: Database, instanceUuid: string): Promise<string> {
  const row = await db
    .knex('floating_ips')
    .join('fixed_ips', 'fixed_ips.id', 'floating_ips.fixed_ip_id')
    .where('fixed_ips.instance_uuid', instanceUuid)
    .where('fixed_ips.deleted', 0)
    .where('floating_ips.deleted', 0)
    .orderBy('floating_ips.id')
    .first<{ address: string } | undefined>('floating_ips.address as address');
  return row?.address ?? '';
}

const withoutDev = (device: string): string => device.replace(/^\/dev\//, '');

/** Devices by their EC2 names. */
async function blockDeviceMapping(db: Database, instance: InstanceRecord): Promise<Record<string, string>> {
  const root = instance.root_device_name;
  if (root === null) return { ami: 'sda1', ephemeral0: 'sda2', root: '/dev/sda1', swap: 'sda3' };
  const mapping: Record<string, string> = { ami: withoutDev(root), root };
  if (instance.default_ephemeral_device) mapping.ephemeral0 = instance.default_ephemeral_device;
  if (instance.default_swap_device) mapping.swap = instance.default_swap_device;
  const rows = (await db
    .knex('block_device_mapping')
    .where({ instance_uuid: instance.uuid, deleted: 0 })
    .orderBy('id')) as Record<string, string | number | null>[];
  const volumes: string[] = [];
  for (const row of rows) {
    if (row.no_device) continue;
    if (row.volume_id !== null || row.snapshot_id !== null) volumes.push(String(row.device_name));
    else if (/^(swap|ephemeral\d+)$/.test(String(row.virtual_name ?? ''))) {
      mapping[String(row.virtual_name)] = String(row.device_name);
    }
  }
  volumes.sort().forEach((device, index) => {
    mapping[`ebs${index}`] = device;
  });
  return mapping;
}
