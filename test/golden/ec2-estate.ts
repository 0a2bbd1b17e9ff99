import { createHash } from 'node:crypto';
import { type Database, toSqlTime } from '@folsom/db';
import { flavorByName } from '@folsom/nova/flavors';
import type { GoldenScenario } from '@folsom/testing';
import { child, parseXml, type XmlElement } from '@folsom/wire';

/** The tenants and the user that the recorder of EC2 worked as; what its keys were is in no recording. */
export const RECORDED = {
  admin: {
    access: '29016b7acf8e46109bf4ac46dd72134c',
    tenant: '53a43163fa974c72a3c04bb643bbd660',
    user: '0073807fd0a44f1b86efe03c83d171c2',
  },
  demo: {
    access: '24db8a2f45a74a18b2377472ecf1fee7',
    tenant: 'd86cbc175952467992e895ac2a9761dc',
    user: '5a7c0e2f3b1d4c6e8f9a0b1c2d3e4f5a',
  },
} as const;

const items = (element: XmlElement | undefined): XmlElement[] => element?.children ?? [];
const text = (element: XmlElement, ...path: string[]): string | null => {
  let at: XmlElement | undefined = element;
  for (const name of path) at = at && child(at, name);
  return at === undefined || at.text === '' ? null : at.text;
};
const numberIn = (id: string): number => Number.parseInt(id.split('-')[1]!, 16);

/** What the recorded cloud held before the recording, as its own first answers show it. */
export interface Estate {
  images: RecordedImage[];
  furnish(database: Database): Promise<void>;
}

export interface RecordedImage {
  number: number;
  uuid: string;
  name: string;
  owner: string;
  format: 'ami' | 'aki' | 'ari';
  properties: Record<string, string>;
}

const uuidOf = (kind: number, number: number): string =>
  `${String(kind).padStart(8, '0')}-0000-4000-8000-${String(number).padStart(12, '0')}`;
const IMAGE = 1;
const INSTANCE = 2;

export function recordedEstate(recorded: readonly GoldenScenario[], now: number): Estate {
  const answer = (slug: string): XmlElement => {
    const found = recorded.find(one => one.slug.startsWith(slug));
    return parseXml(found!.exchanges[0]!.response.body as string);
  };
  const began = Date.parse(text(runAnswer(answer('032')), 'launchTime')!);
  const shifted = (time: string): number => Date.parse(time) - began + now;
  const images = items(child(answer('004'), 'imagesSet')).map(readImage);
  const own = new Set(
    ['032', '033', '038', '040'].flatMap(slug =>
      items(child(answer(slug), 'instancesSet')).map(one => text(one, 'instanceId')),
    ),
  );
  const reservations = items(child(answer('041'), 'reservationSet'));
  const groups = items(child(answer('028'), 'securityGroupInfo'));
  const keys = items(child(answer('012'), 'keySet'));
  return {
    images,
    furnish: async db => {
      const created = { created_at: toSqlTime(now), deleted: 0 };
      for (const { number, uuid } of images)
        await db.knex('s3_images').insert({ id: number, uuid, deleted: 0 });
      await furnishKeys(db, keys, created, importedFingerprint(recorded));
      await furnishGroups(db, groups, created);
      for (const reservation of reservations) {
        for (const one of items(child(reservation, 'instancesSet'))) {
          if (!own.has(text(one, 'instanceId'))) await furnishInstance(db, reservation, one, shifted);
        }
      }
      // The next numbers are the recorded ones.
      await nextNumber(db, 'instance_id_mappings', 0x5b);
      await nextNumber(db, 'volume_id_mappings', 4);
      await nextNumber(db, 'snapshot_id_mappings', 2);
      await nextNumber(db, 'security_groups', 64);
      await furnishAddresses(db);
      // A daemon that is only a row here has reported, too.
      await db
        .knex('services')
        .whereNull('updated_at')
        .update({ updated_at: toSqlTime(now) });
    },
  };
}

const runAnswer = (run: XmlElement): XmlElement => items(child(run, 'instancesSet'))[0]!;

function readImage(image: XmlElement): RecordedImage {
  const number = numberIn(text(image, 'imageId')!);
  const property = (name: string, id: string | null): Record<string, string> =>
    id === null ? {} : { [name]: uuidOf(IMAGE, numberIn(id)) };
  const location = text(image, 'imageLocation') ?? '';
  return {
    number,
    uuid: uuidOf(IMAGE, number),
    name: text(image, 'name')!,
    owner: text(image, 'imageOwnerId')!,
    format: text(image, 'imageId')!.split('-')[0] as RecordedImage['format'],
    properties: {
      ...property('kernel_id', text(image, 'kernelId')),
      ...property('ramdisk_id', text(image, 'ramdiskId')),
      ...(location.startsWith('None (') ? {} : { image_location: location }),
      ...(text(image, 'architecture') === null ? {} : { architecture: text(image, 'architecture')! }),
    },
  };
}

type Created = Record<string, unknown>;

/** The recorder imported the key that it had imported as `mykey` before; later fingerprints than Folsom's stand in the recording. */
function importedFingerprint(recorded: readonly GoldenScenario[]): string {
  const { request } = recorded.find(one => one.slug.startsWith('015'))!.exchanges[0]!;
  const line = Buffer.from(
    new URLSearchParams(request.body ?? '').get('PublicKeyMaterial')!,
    'base64',
  ).toString();
  return createHash('md5')
    .update(Buffer.from(line.split(' ')[1]!, 'base64'))
    .digest('hex')
    .match(/../g)!
    .join(':');
}

async function furnishKeys(
  db: Database,
  keys: readonly XmlElement[],
  created: Created,
  imported: string,
): Promise<void> {
  for (const key of keys) {
    const name = text(key, 'keyName')!;
    if (name === 'ek1') continue;
    await db.knex('key_pairs').insert({
      ...created,
      name,
      user_id: RECORDED.admin.user,
      fingerprint: name === 'mykey' ? imported : text(key, 'keyFingerprint'),
      public_key: '',
    });
  }
}

async function furnishGroups(db: Database, groups: readonly XmlElement[], created: Created): Promise<void> {
  for (const group of groups) {
    const name = text(group, 'groupName')!;
    if (name === 'esg') continue;
    const [id] = await db.knex('security_groups').insert({
      ...created,
      name,
      description: text(group, 'groupDescription'),
      user_id: RECORDED.admin.user,
      project_id: RECORDED.admin.tenant,
    });
    for (const rule of items(child(group, 'ipPermissions'))) {
      await db.knex('security_group_rules').insert({
        ...created,
        parent_group_id: id,
        protocol: text(rule, 'ipProtocol'),
        from_port: Number(text(rule, 'fromPort')),
        to_port: Number(text(rule, 'toPort')),
        cidr: text(rule, 'ipRanges', 'item', 'cidrIp'),
      });
    }
  }
}

async function furnishInstance(
  db: Database,
  reservation: XmlElement,
  one: XmlElement,
  shifted: (time: string) => number,
): Promise<void> {
  const number = numberIn(text(one, 'instanceId')!);
  const uuid = uuidOf(INSTANCE, number);
  const [, key = 'None', project = '', host = ''] = /^(.*) \((.*), (.*)\)$/.exec(text(one, 'keyName')!) ?? [];
  const flavor = await flavorByName(db.knex, text(one, 'instanceType')!);
  const at = { created_at: toSqlTime(shifted(text(one, 'launchTime')!)), deleted: 0 };
  const state = text(one, 'instanceState', 'name')!;
  await db.knex('instance_id_mappings').insert({ id: number, uuid, deleted: 0 });
  await db.knex('instances').insert({
    ...at,
    id: number,
    uuid,
    project_id: project,
    user_id: RECORDED.admin.user,
    reservation_id: text(reservation, 'reservationId'),
    hostname: text(one, 'privateDnsName'),
    display_name: text(one, 'privateDnsName'),
    host: host === 'None' ? null : host,
    key_name: key === 'None' ? null : key,
    vm_state: VM_STATES[state] ?? state,
    power_state: state === 'running' ? 1 : 4,
    image_ref: uuidOf(IMAGE, numberIn(text(one, 'imageId')!)),
    kernel_id: dependent(one, 'kernelId'),
    ramdisk_id: dependent(one, 'ramdiskId'),
    launch_index: 0,
    instance_type_id: flavor.id,
    memory_mb: flavor.memory_mb,
    vcpus: flavor.vcpus,
    root_gb: flavor.root_gb,
    ephemeral_gb: flavor.ephemeral_gb,
  });
  await db.knex('instance_info_caches').insert({ ...at, instance_uuid: uuid, network_info: networkOf(one) });
  for (const group of items(child(reservation, 'groupSet'))) {
    const [id] = await db.knex('security_groups').insert({
      ...at,
      name: text(group, 'groupId'),
      description: '',
      user_id: '',
      project_id: `of ${uuid}`,
    });
    await db
      .knex('security_group_instance_association')
      .insert({ ...at, security_group_id: id, instance_uuid: uuid });
  }
}

const VM_STATES: Record<string, string> = {
  running: 'active',
  pending: 'building',
  stopped: 'stopped',
  pause: 'paused',
  suspend: 'suspended',
  rescue: 'rescued',
  resize: 'resized',
};

const dependent = (one: XmlElement, name: string): string | null => {
  const id = text(one, name);
  return id === null ? null : uuidOf(IMAGE, numberIn(id));
};

function networkOf(one: XmlElement): string {
  const fixed = text(one, 'privateIpAddress');
  if (fixed === null) return '[]';
  const ip = (address: string, type: string) => ({ address, type, version: 4, meta: {} });
  const floating = text(one, 'publicDnsName');
  const ips = [{ ...ip(fixed, 'fixed'), floating_ips: floating === null ? [] : [ip(floating, 'floating')] }];
  const subnets = [{ cidr: '10.0.0.0/22', version: 4, dns: [], gateway: null, ips, routes: [], meta: {} }];
  const network = { id: 'n', bridge: 'br100', label: 'private', subnets, meta: { tenant_id: null } };
  return JSON.stringify([{ id: 'v', address: '02:16:3e:00:00:01', network, meta: {} }]);
}

/** The next row of the table gets this id. */
async function nextNumber(db: Database, table: string, next: number): Promise<void> {
  const last = await db.knex(table).where('id', '<', next).max('id as id').first();
  if (Number(last?.id ?? 0) >= next - 1) return;
  await db
    .knex(table)
    .insert({ id: next - 1, deleted: 1, ...(table === 'security_groups' ? {} : { uuid: 'gone' }) });
}

/** Addresses that others had, and one that the recorder's tenant had before. */
async function furnishAddresses(db: Database): Promise<void> {
  const give = (address: string, project_id: string) =>
    db.knex('floating_ips').where({ address }).update({ project_id });
  await give('172.24.4.225', 'another');
  await give('172.24.4.226', 'another');
  await give('172.24.5.1', RECORDED.admin.tenant);
}
