import { prepared, type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, type RowBase, type Sql, toRow, wireBase } from './rows.ts';
import type { FlavorColumns, FlavorWire } from './rpc/wire.ts';

export interface FlavorRow extends RowBase, FlavorColumns {}

const spec = columns([], ['disabled', 'is_public']);
const flavorFrom = (raw: RowOf<'instance_types'>): FlavorRow => {
  const row = fromRow<FlavorRow>(spec, raw);
  row.rxtx_factor = Number(row.rxtx_factor ?? 1);
  return row;
};

export interface FlavorFilter {
  /** true or false; absent shows both. */
  isPublic?: boolean;
  disabled?: boolean;
  minRam?: number;
  minDisk?: number;
  /** With isPublic true: also private flavors this tenant was let in to. */
  projectId?: string;
}

/** All flavors that are not deleted, sorted by name. */
export async function listFlavors(sql: Sql, filter: FlavorFilter = {}): Promise<FlavorRow[]> {
  const query = sql('instance_types').where(alive).orderBy('name');
  if (filter.minRam !== undefined) query.where('memory_mb', '>=', filter.minRam);
  if (filter.minDisk !== undefined) query.where('root_gb', '>=', filter.minDisk);
  if (filter.disabled !== undefined) query.where('disabled', filter.disabled ? 1 : 0);
  if (filter.isPublic !== undefined) {
    const { projectId } = filter;
    query.where(where => {
      where.where('is_public', filter.isPublic ? 1 : 0);
      if (filter.isPublic && projectId !== undefined) {
        where.orWhereIn(
          'id',
          sql('instance_type_projects')
            .select('instance_type_id')
            .where({ ...alive, project_id: projectId }),
        );
      }
    });
  }
  return (await query).map(flavorFrom);
}

/**
 * The one lookup of a flavor by its public id, for every caller: a private flavor exists only for administrators and the
 * tenants it was given to.
 *
 * @throws Fault `FlavorNotFound`
 */
export async function flavorByFlavorId(
  sql: Sql,
  flavorid: string,
  by: { isAdmin: boolean; projectId: string | null },
  options: { deleted?: boolean } = {},
): Promise<FlavorRow> {
  const raw = await latestOf(sql, flavorid, options.deleted ?? false);
  if (raw) {
    const flavor = flavorFrom(raw);
    if (flavor.is_public || by.isAdmin || (await hasAccess(sql, flavor.id, by.projectId))) return flavor;
  }
  throw novaFault('FlavorNotFound', { flavor_id: flavorid });
}

const latestOf = prepared((sql, flavorid: string, deletedToo: boolean) => {
  const query = sql('instance_types').where('flavorid', flavorid).orderBy('deleted').orderBy('id', 'desc');
  if (!deletedToo) query.where(alive);
  return query.first();
});

const hasAccess = async (sql: Sql, id: number, projectId: string | null): Promise<boolean> =>
  projectId !== null &&
  (await sql('instance_type_projects')
    .where({ ...alive, instance_type_id: id, project_id: projectId })
    .first('id')) !== undefined;

const rowsOf = prepared((sql, ids: readonly number[]) => sql('instance_types').whereIn('id', [...ids]));

/** Flavors by row id, deleted ones too: instances outlive their flavor. */
export async function flavorsByIds(sql: Sql, ids: readonly number[]): Promise<Map<number, FlavorRow>> {
  if (ids.length === 0) return new Map();
  return new Map((await rowsOf(sql, ids)).map(raw => [raw.id as number, flavorFrom(raw)]));
}

/** @throws Fault `InstanceTypeNotFound` */
export async function flavorById(sql: Sql, id: number): Promise<FlavorRow> {
  const flavor = (await flavorsByIds(sql, [id])).get(id);
  if (!flavor) throw novaFault('InstanceTypeNotFound', { instance_type_id: id });
  return flavor;
}

/** @throws Fault `InstanceTypeNotFoundByName` */
export async function flavorByName(sql: Sql, name: string): Promise<FlavorRow> {
  const raw = await sql('instance_types')
    .where({ ...alive, name })
    .first();
  if (!raw) throw novaFault('InstanceTypeNotFoundByName', { instance_type_name: name });
  return flavorFrom(raw);
}

export type NewFlavor = Pick<
  FlavorRow,
  | 'name'
  | 'memory_mb'
  | 'vcpus'
  | 'root_gb'
  | 'ephemeral_gb'
  | 'flavorid'
  | 'swap'
  | 'rxtx_factor'
  | 'is_public'
>;

/** @throws Fault `InstanceTypeExists` when the name or the id is taken. */
export async function createFlavor(sql: Sql, flavor: NewFlavor, now: number): Promise<FlavorRow> {
  const taken = await sql('instance_types')
    .where(alive)
    .where(where => void where.where('name', flavor.name).orWhere('flavorid', flavor.flavorid))
    .first('id');
  if (taken) throw novaFault('InstanceTypeExists', { name: flavor.name });
  const [id] = await sql('instance_types').insert(
    toRow(spec, { ...flavor, deleted: false, disabled: false, created_at: now, vcpu_weight: null }),
  );
  return flavorById(sql, id as number);
}

/** Soft-deletes a flavor with its extra specs and access list. @throws Fault `InstanceTypeNotFoundByName` */
export async function deleteFlavor(sql: Sql, name: string, now: number): Promise<void> {
  const { id } = await flavorByName(sql, name);
  await sql('instance_types').where({ id }).update(deletion(now));
  await sql('instance_type_extra_specs').where({ instance_type_id: id }).update(deletion(now));
  await sql('instance_type_projects').where({ instance_type_id: id }).update(deletion(now));
}

export async function extraSpecs(sql: Sql, flavorRowId: number): Promise<Record<string, string>> {
  return Object.fromEntries((await specsOf(sql, flavorRowId)).map(row => [row.key, row.value]));
}
const specsOf = prepared(
  (sql, flavorRowId: number) =>
    sql('instance_type_extra_specs')
      .where({ ...alive, instance_type_id: flavorRowId })
      .select('key', 'value') as PromiseLike<{ key: string; value: string }[]>,
);

/** Sets keys and leaves the others. */
export async function setExtraSpecs(
  sql: Sql,
  flavorRowId: number,
  specs: Record<string, string>,
  now: number,
): Promise<void> {
  for (const [key, value] of Object.entries(specs)) {
    const at = { instance_type_id: flavorRowId, key };
    const changed = await sql('instance_type_extra_specs')
      .where({ ...alive, ...at })
      .update({ value, updated_at: toSqlTime(now) });
    if (!changed) {
      await sql('instance_type_extra_specs').insert({ ...at, value, deleted: 0, created_at: toSqlTime(now) });
    }
  }
}

export async function deleteExtraSpec(
  sql: Sql,
  flavorRowId: number,
  key: string,
  now: number,
): Promise<void> {
  await sql('instance_type_extra_specs')
    .where({ ...alive, instance_type_id: flavorRowId, key })
    .update(deletion(now));
}

/** Tenants a private flavor was given to. */
export async function flavorTenants(sql: Sql, flavorRowId: number): Promise<string[]> {
  const rows = await sql('instance_type_projects')
    .where({ ...alive, instance_type_id: flavorRowId })
    .orderBy('id')
    .select('project_id');
  return rows.map((row: { project_id: string }) => row.project_id);
}

/** @throws Fault `FlavorAccessExists` */
export async function addFlavorTenant(
  sql: Sql,
  flavor: FlavorRow,
  projectId: string,
  now: number,
): Promise<void> {
  if (await hasAccess(sql, flavor.id, projectId)) {
    throw novaFault('FlavorAccessExists', { flavor_id: flavor.flavorid, project_id: projectId });
  }
  await sql('instance_type_projects').insert({
    instance_type_id: flavor.id,
    project_id: projectId,
    deleted: 0,
    created_at: toSqlTime(now),
  });
}

/** @throws Fault `FlavorAccessNotFound` */
export async function removeFlavorTenant(
  sql: Sql,
  flavor: FlavorRow,
  projectId: string,
  now: number,
): Promise<void> {
  const removed = await sql('instance_type_projects')
    .where({ ...alive, instance_type_id: flavor.id, project_id: projectId })
    .update(deletion(now));
  if (!removed)
    throw novaFault('FlavorAccessNotFound', { flavor_id: flavor.flavorid, project_id: projectId });
}

/** A flavor as messages carry it; pass its extra specs where the receiver is the scheduler. */
export const flavorWire = (flavor: FlavorRow, specs?: Record<string, string>): FlavorWire => ({
  ...wireBase(flavor),
  id: flavor.id,
  flavorid: flavor.flavorid,
  name: flavor.name,
  memory_mb: flavor.memory_mb,
  vcpus: flavor.vcpus,
  root_gb: flavor.root_gb,
  ephemeral_gb: flavor.ephemeral_gb,
  swap: flavor.swap,
  rxtx_factor: flavor.rxtx_factor,
  vcpu_weight: flavor.vcpu_weight,
  disabled: flavor.disabled,
  is_public: flavor.is_public,
  ...(specs === undefined ? {} : { extra_specs: specs }),
});
