import { systemClock } from '@folsom/core';
import { type Database, type Knex, toSqlTime } from '@folsom/db';
import type { Side } from './programs.ts';

/** How long both sides may take to finish what was acknowledged. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 1000;

/** What 2012.2 counts for a quota when it counts anew, by tenant. */
const SUMS: readonly {
  resources: Record<string, string>;
  from(knex: Knex): Knex.QueryBuilder;
  /** Rows that 2012.2 makes without a reservation: it counts them only when it counts anew. */
  maybe?(knex: Knex): Knex.QueryBuilder;
}[] = [
  {
    resources: { instances: 'count(*)', cores: 'sum(vcpus)', ram: 'sum(memory_mb)' },
    from: knex => knex('instances').where({ deleted: 0 }),
  },
  {
    resources: { volumes: 'count(*)', gigabytes: 'sum(size)' },
    from: knex => knex('volumes').where({ deleted: 0 }),
  },
  {
    resources: { floating_ips: 'count(*)' },
    from: knex => knex('floating_ips').where({ deleted: 0, auto_assigned: 0 }).whereNotNull('project_id'),
  },
  {
    resources: { security_groups: 'count(*)' },
    from: knex => knex('security_groups').where({ deleted: 0 }).whereNot({ name: 'default' }),
    maybe: knex => knex('security_groups').where({ deleted: 0, name: 'default' }),
  },
  {
    resources: { fixed_ips: 'count(*)' },
    from: knex =>
      knex('fixed_ips')
        .join('instances', 'instances.uuid', 'fixed_ips.instance_uuid')
        .where('fixed_ips.deleted', 0)
        .where('instances.deleted', 0),
  },
];

/** What 2012.2.4's own nova-network counts wrongly; see `uncounted`. */
const BY_NETWORK = 'fixed_ips';

/**
 * What cannot be judged where the original has nova-network: an address that was taken from a server stays the server's until its
 * lease is over, and is given back to the quota once more with the server.
 */
export const uncounted = (networks: readonly (Side | undefined)[]): readonly string[] =>
  networks.includes('original') ? [BY_NETWORK] : [];

/** For the next one, when nobody has anything any more. */
export async function setToNone({ knex }: Database, resources: readonly string[]): Promise<void> {
  await knex('quota_usages').whereIn('resource', resources).update({ in_use: 0, reserved: 0 });
}

/** Where `quota_usages` is not the sum of the rows, or holds back something for what nobody does any more. */
export async function unequalQuotas(
  { knex }: Database,
  uncounted: readonly string[] = [],
): Promise<string[]> {
  const [counted, maybe] = [new Map<string, number>(), new Map<string, number>()];
  for (const { resources, from, ...more } of SUMS)
    for (const [resource, sum] of Object.entries(resources)) {
      await count(from(knex), knex.raw(`${sum} as number`), resource, counted);
      if (more.maybe) await count(more.maybe(knex), knex.raw(`${sum} as number`), resource, maybe);
    }
  const usages = (await knex('quota_usages')
    .where({ deleted: 0 })
    .whereNotIn('resource', uncounted)
    .select('project_id', 'resource', 'in_use', 'reserved')) as Usage[];
  return usages.flatMap(({ project_id, resource, in_use, reserved }) => {
    const what = `${resource} of ${project_id}`;
    const real = counted.get(what) ?? 0;
    const most = real + (maybe.get(what) ?? 0);
    return [
      ...(in_use >= real && in_use <= most ? [] : [`quota: ${what}: ${in_use} in use, ${real} there`]),
      ...(reserved === 0 ? [] : [`quota: ${what}: ${reserved} reserved`]),
    ];
  });
}

async function count(
  rows: Knex.QueryBuilder,
  number: Knex.Raw,
  resource: string,
  into: Map<string, number>,
): Promise<void> {
  const found = await rows.groupBy('project_id').select('project_id', number);
  for (const row of found as { project_id: string; number: unknown }[])
    into.set(`${resource} of ${row.project_id}`, Number(row.number));
}

/**
 * Makes the rows that a tenant's quotas are kept in, where there are none yet. 2012.2 makes two of a kind when the first two servers of a
 * tenant want their addresses at once (it counts fixed addresses in a transaction of its own), and then counts in the wrong one.
 */
export async function makeUsages({ knex }: Database, tenant: string): Promise<void> {
  const there = await knex('quota_usages').where({ project_id: tenant, deleted: 0 }).pluck('resource');
  const missing = SUMS.flatMap(({ resources }) => Object.keys(resources)).filter(
    resource => !there.includes(resource),
  );
  const now = toSqlTime(systemClock.now());
  const rows = missing.map(resource => ({ project_id: tenant, resource, in_use: 0, reserved: 0 }));
  for (const row of rows)
    await knex('quota_usages').insert({ ...row, deleted: 0, created_at: now, updated_at: now });
}

interface Usage {
  project_id: string;
  resource: string;
  in_use: number;
  reserved: number;
}

/** Rows that nothing should be in when every user has taken his things away. */
const EMPTY: Readonly<Record<string, (knex: Knex) => Knex.QueryBuilder>> = {
  'servers left': knex => knex('instances').where({ deleted: 0 }),
  'volumes left': knex => knex('volumes').where({ deleted: 0 }),
  'snapshots left': knex => knex('snapshots').where({ deleted: 0 }),
  'fixed addresses in use': knex => knex('fixed_ips').where({ deleted: 0, allocated: 1 }),
  'floating addresses in use': knex =>
    knex('floating_ips')
      .where({ deleted: 0 })
      .where(q => q.whereNotNull('project_id').orWhereNotNull('fixed_ip_id')),
  'cards left': knex => knex('virtual_interfaces').where({ deleted: 0 }),
  'devices left': knex => knex('block_device_mapping').where({ deleted: 0 }),
  'moves unfinished': knex => knex('migrations').where({ deleted: 0 }).whereNotIn('status', ENDED),
};
/** One that waits to be confirmed is left so by 2012.2 when its server is deleted; no server is left here. */
const ENDED = ['finished', 'confirmed', 'reverted', 'error'];

/** What nobody uses any more and is there all the same. */
export async function leftOver({ knex }: Database): Promise<string[]> {
  const found: string[] = [];
  for (const [what, rows] of Object.entries(EMPTY)) {
    const [{ number }] = (await rows(knex).count({ number: '*' })) as [{ number: unknown }];
    if (Number(number) > 0) found.push(`${what}: ${number}`);
  }
  return found;
}

/** Servers something is going on with, and reservations that wait for their end. */
export async function unfinished({ knex }: Database): Promise<string[]> {
  const busy = (await knex('instances')
    .where({ deleted: 0 })
    .whereNotNull('task_state')
    .select('uuid', 'task_state')) as { uuid: string; task_state: string }[];
  const open = (await knex('reservations')
    .where({ deleted: 0 })
    .where('expire', '>', toSqlTime(systemClock.now()))
    .select('resource', 'delta')) as { resource: string; delta: number }[];
  return [
    ...busy.map(({ uuid, task_state }) => `in a task state: ${uuid}: ${task_state}`),
    ...open.map(({ resource, delta }) => `reserved: ${resource} ${delta}`),
  ];
}

/** Asks until nothing is found any more, or for as long as one waits for a cloud to settle. */
export async function settled(find: () => Promise<string[]>, patienceMs = PATIENCE_MS): Promise<string[]> {
  const end = systemClock.monotonic() + patienceMs;
  for (;;) {
    const found = await find();
    if (found.length === 0 || systemClock.monotonic() > end) return found;
    await systemClock.sleep(PAUSE_MS);
  }
}

/** Everything that must hold when a mixture has been used and its users have taken their things away. */
export const audit = (nova: Database, uncounted: readonly string[]): Promise<string[]> =>
  settled(async () => [
    ...(await unequalQuotas(nova, uncounted)),
    ...(await leftOver(nova)),
    ...(await unfinished(nova)),
  ]);

/** Takes away what a mixture has left, so that the next one is judged by what it does itself. */
export async function sweep({ knex }: Database): Promise<void> {
  const away = { deleted: 1 };
  await knex('instances')
    .where({ deleted: 0 })
    .update({ ...away, task_state: null });
  for (const table of [
    'volumes',
    'snapshots',
    'virtual_interfaces',
    'block_device_mapping',
    'migrations',
    'key_pairs',
  ])
    await knex(table).where({ deleted: 0 }).update(away);
  await knex('security_groups').where({ deleted: 0 }).whereNot({ name: 'default' }).update(away);
  await knex('fixed_ips').update({
    allocated: 0,
    leased: 0,
    instance_uuid: null,
    virtual_interface_id: null,
  });
  await knex('floating_ips').update({ project_id: null, fixed_ip_id: null, host: null });
  await knex('reservations').delete();
  await knex('quota_usages').delete();
}
