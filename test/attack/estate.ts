import { systemClock } from '@folsom/core';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { type AttackedCloud, eachOf, type Person } from './cloud.ts';
import { askEc2, type Ec2Keys } from './ec2-signing.ts';

/** What a person owns, one thing of each kind, each with the person's mark in it. */
export interface Estate {
  owner: Person;
  /** Stands in every value of the estate that is not part of a path. */
  mark: string;
  /** What a path names it by, by the segment that stands before. */
  ids: Readonly<Record<string, string>>;
  /** To sign requests with. */
  keys: Ec2Keys;
  /** Whatever tells that a row belongs to it. */
  traces: readonly string[];
}

export async function makeEstate(cloud: AttackedCloud, owner: Person, name: string): Promise<Estate> {
  const mark = `${name}-keeps-this`;
  const { token, tenant, user } = owner;
  const call = async (
    to: Parameters<AttackedCloud['ask']>[0],
    method: string,
    path: string,
    body?: unknown,
    headers = {},
  ) => {
    const answer = await cloud.ask(to, method, path, { token, body, headers });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    // biome-ignore lint/suspicious/noExplicitAny: documents of every shape
    return (/^[[{]/.test(answer.text) ? JSON.parse(answer.text) : {}) as any;
  };
  const compute = (method: string, path: string, body?: unknown) =>
    call('compute', method, `/v2/${tenant}/${path}`, body);
  const guest = (await call('image', 'GET', '/v2/images?name=guest')).images[0].id;
  const image = await call('image', 'POST', '/v2/images', {
    name: mark,
    visibility: 'private',
    secret: mark,
    tags: ['tag'],
    disk_format: 'raw',
    container_format: 'bare',
  });
  await call('image', 'PUT', `/v2/images/${image.id}/file`, mark.repeat(10), {
    'content-type': 'application/octet-stream',
  });
  const keypair = (await compute('POST', 'os-keypairs', { keypair: { name: `${name}-key` } })).keypair;
  const group = (
    await compute('POST', 'os-security-groups', {
      security_group: { name: `${name}-group`, description: mark },
    })
  ).security_group;
  const rule = (
    await compute('POST', 'os-security-group-rules', {
      security_group_rule: {
        parent_group_id: group.id,
        ip_protocol: 'tcp',
        from_port: 22,
        to_port: 22,
        cidr: '192.0.2.0/24',
      },
    })
  ).security_group_rule;
  const server = (
    await compute('POST', 'servers', {
      server: {
        name: mark,
        imageRef: guest,
        flavorRef: '1',
        key_name: keypair.name,
        metadata: { key: mark },
      },
    })
  ).server;
  const block = { addresses: [`198.51.100.${name.charCodeAt(0)}`], pool: name, interface: 'eth0' };
  await createFloatingIps(cloud.databases.nova, block, systemClock.now());
  const floating = (await compute('POST', 'os-floating-ips', { pool: name })).floating_ip;
  const objects = (path: string, body: string, headers: Record<string, string>) =>
    call('objectProxy', 'PUT', `/v1/AUTH_${tenant}/${name}-box${path}`, body, headers);
  await objects('', '', { 'x-container-meta-secret': mark });
  await objects(`/${name}-thing`, mark, { 'x-object-meta-secret': mark });
  const keys = await keysOf(cloud, owner);
  await until(
    'a marked server',
    async () => (await compute('GET', `servers/${server.id}`)).server.status === 'ACTIVE',
  );
  const disks = await makeVolumes(compute, server.id, mark);
  const ids = {
    v2: tenant,
    servers: server.id,
    metadata: 'key',
    images: image.id,
    members: tenant,
    'shared-images': tenant,
    tags: 'tag',
    'os-keypairs': keypair.name,
    'os-security-groups': String(group.id),
    'os-security-group-rules': String(rule.id),
    'os-floating-ips': String(floating.id),
    'os-quota-sets': tenant,
    'os-simple-tenant-usage': tenant,
    tenants: tenant,
    users: user,
    'OS-EC2': keys.access,
    volumes: disks.free,
    'os-volumes': disks.free,
    snapshots: disks.snapshot,
    'os-snapshots': disks.snapshot,
    'os-volume_attachments': disks.attached,
    address: floating.ip,
    groupName: group.name,
    ...(await ec2IdsOf(cloud, keys, image.id)),
    account: `AUTH_${tenant}`,
    container: `${name}-box`,
    object: `${name}-thing`,
  } as const;
  const traces = [
    `"parent_group_id":${group.id},`,
    tenant,
    user,
    mark,
    server.id,
    image.id,
    keypair.name,
    floating.ip,
    keys.access,
    ...Object.values(disks),
  ];
  return { owner, mark, ids, keys, traces };
}

/** A pair of keys for EC2, made by the person. */
export async function keysOf(cloud: AttackedCloud, { token, tenant, user }: Person): Promise<Ec2Keys> {
  const path = `/v2.0/users/${user}/credentials/OS-EC2`;
  const answer = await cloud.ask('identityPublic', 'POST', path, { token, body: { tenant_id: tenant } });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return JSON.parse(answer.text).credential;
}

/** A volume with a snapshot, and one that the server has. */
async function makeVolumes(
  // biome-ignore lint/suspicious/noExplicitAny: documents of every shape
  compute: (method: string, path: string, body?: unknown) => Promise<any>,
  server: string,
  mark: string,
): Promise<{ free: string; snapshot: string; attached: string }> {
  const make = async (): Promise<string> => {
    const volume = { size: 1, display_name: mark, display_description: mark, metadata: { key: mark } };
    return (await compute('POST', 'os-volumes', { volume })).volume.id;
  };
  const [free, attached] = [await make(), await make()];
  const is = (id: string, status: string) =>
    until(
      `a volume that is to be ${status}`,
      async () => (await compute('GET', `os-volumes/${id}`)).volume.status === status,
    );
  await Promise.all([is(free, 'available'), is(attached, 'available')]);
  const snapshot = { volume_id: free, display_name: mark, display_description: mark };
  const { id } = (await compute('POST', 'os-snapshots', { snapshot })).snapshot;
  await compute('POST', `servers/${server}/os-volume_attachments`, {
    volumeAttachment: { volumeId: attached, device: '/dev/vdb' },
  });
  await is(attached, 'in-use');
  await until(
    'a snapshot',
    async () => (await compute('GET', `os-snapshots/${id}`)).snapshot.status === 'available',
  );
  return { free, snapshot: id, attached };
}

/** What EC2 calls what they have, as it shows it; of images it shows others', too. */
async function ec2IdsOf(cloud: AttackedCloud, keys: Ec2Keys, image: string) {
  const shown = async (Action: string, element: string) => {
    const { text } = await askEc2(cloud, keys, { Action });
    const found = new RegExp(`<${element}>([^<]+)</${element}>`).exec(text)?.[1];
    if (found === undefined) throw new Error(`${Action} shows no ${element}: ${text.slice(0, 500)}`);
    return found;
  };
  await shown('DescribeImages', 'imageId');
  const row = await cloud.databases.nova.knex('s3_images').where({ uuid: image }).first('id');
  return {
    ec2Instance: await shown('DescribeInstances', 'instanceId'),
    ec2Volume: await shown('DescribeVolumes', 'volumeId'),
    ec2Snapshot: await shown('DescribeSnapshots', 'snapshotId'),
    ec2Image: `ami-${Number(row!.id).toString(16).padStart(8, '0')}`,
  };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what} is not as it should be in time`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

/** Tables that move by themselves, or with what somebody else is given. */
const MOVING =
  /^(services|compute_nodes|compute_node_stats|quota_usages|reservations|task_log|bw_usage_cache|token|sqlite_.*|migrate_version|folsom_.*|virtual_interfaces|dns_domains)$/;
/** Columns that a look alone may change. */
const RESTLESS = new Set([
  'updated_at',
  'access_ip_v4',
  'progress',
  'scheduled_at',
  'launched_at',
  'last_heard',
]);

export type Rows = ReadonlyMap<string, string>;

/** Every row of every database by its table and key, but for those that move by themselves. */
export async function allRows(cloud: AttackedCloud): Promise<Rows> {
  const rows = new Map<string, string>();
  await eachOf(Object.entries(cloud.databases), 3, async ([database, { knex }]) => {
    const tables = (await knex('sqlite_master').where({ type: 'table' }).select('name')) as {
      name: string;
    }[];
    for (const { name } of tables) {
      if (MOVING.test(name)) continue;
      const all = (await knex(name).select()) as Record<string, unknown>[];
      all.forEach((row, at) => {
        const kept = Object.fromEntries(Object.entries(row).filter(([column]) => !RESTLESS.has(column)));
        const key =
          row.id ??
          row.uuid ??
          JSON.stringify([row.user_id, row.tenant_id, row.access, row.name, row.address]) ??
          at;
        rows.set(`${database}.${name} ${key}`, JSON.stringify(kept));
      });
    }
  });
  return rows;
}

/** Columns that say whose a row is. */
const OWNERS = ['user_id', 'project_id', 'tenant_id', 'owner'] as const;

const ownedBy = (row: string, people: readonly string[]): boolean => {
  const columns = JSON.parse(row) as Record<string, unknown>;
  const owners = OWNERS.map(name => columns[name]).filter(owner => typeof owner === 'string');
  return owners.length > 0 && owners.every(owner => people.includes(owner));
};

/**
 * What was there and is not as it was: rows that tell of the estate, and those that tell of nobody whose they could be
 * (flavors, roles, services, ...). Free addresses come and go with others' servers.
 */
export function disturbed(before: Rows, after: Rows, estate: Estate, others: readonly string[]): string[] {
  const found: string[] = [];
  for (const [key, row] of before) {
    // Who has a key of the same name may do with it what he likes.
    const mine = !ownedBy(row, others) && estate.traces.some(trace => row.includes(trace));
    if (
      !mine &&
      (others.some(trace => row.includes(trace)) || /^nova\.(fixed_ips|floating_ips|networks) /.test(key))
    )
      continue;
    const now = after.get(key);
    if (now !== row) found.push(`${key}: ${row.slice(0, 300)} -> ${(now ?? 'gone').slice(0, 300)}`);
  }
  return found;
}
