import { isFault, type RequestContext } from '@folsom/core';
import { paginate, type SortKey, toSqlTime } from '@folsom/db';
import { type FlavorRow, flavorByFlavorId } from '@folsom/nova/flavors';
import { narrowToAddresses } from './address-filter.ts';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { matching } from './patterns.ts';
import { authorize } from './policy.ts';

/** Columns of `instances` that a listing reads. */
export const COLUMNS = [
  'id',
  'uuid',
  'display_name',
  'project_id',
  'user_id',
  'host',
  'vm_state',
  'task_state',
  'power_state',
  'image_ref',
  'key_name',
  'config_drive',
  'access_ip_v4',
  'access_ip_v6',
  'auto_disk_config',
  'progress',
  'created_at',
  'updated_at',
  'instance_type_id',
] as const satisfies (keyof ListedRow)[];

/** Text columns that administrators may search with an expression. */
const SEARCHABLE = new Set([
  'display_name',
  'display_description',
  'hostname',
  'host',
  'reservation_id',
  'key_name',
  'kernel_id',
  'ramdisk_id',
  'task_state',
  'availability_zone',
  'os_type',
  'architecture',
  'vm_mode',
  'root_device_name',
  'config_drive',
  'access_ip_v4',
  'access_ip_v6',
  'launched_on',
  'server_name',
  'power_state',
  'memory_mb',
  'vcpus',
  'root_gb',
  'ephemeral_gb',
  'progress',
  'locked',
  'launch_index',
]);
const EXACT = new Set(['project_id', 'user_id', 'image_ref', 'vm_state', 'uuid']);
const FILTERS_OF_USERS = new Set(['reservation_id', 'name', 'status', 'image', 'flavor', 'changes-since']);

const NEWEST_FIRST: readonly SortKey[] = [
  { column: 'created_at', direction: 'desc', nullable: false },
  { column: 'id', direction: 'desc', nullable: false },
];

export interface Page {
  limit: number;
  marker: string | undefined;
}

/** A row of the listing as the database gives it: texts, numbers and nulls only. */
export interface ListedRow {
  id: number;
  uuid: string;
  display_name: string | null;
  project_id: string | null;
  user_id: string | null;
  host: string | null;
  vm_state: string;
  task_state: string | null;
  power_state: number | null;
  image_ref: string;
  key_name: string | null;
  config_drive: string | null;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  auto_disk_config: number | null;
  progress: number | null;
  created_at: string | null;
  updated_at: string | null;
  instance_type_id: number;
}

const STATUS_STATES: Record<string, string> = {
  active: 'active',
  build: 'building',
  shutoff: 'stopped',
  verify_resize: 'resized',
  paused: 'paused',
  suspended: 'suspended',
  rescue: 'rescued',
  error: 'error',
  deleted: 'deleted',
};

/**
 * Whether a filter that is on or off is on. Words for no are off; Folsom took any text for yes, and today's clients send
 * `deleted=False`.
 */
export const isWanted = (text: string | null | undefined): boolean =>
  text !== null && text !== undefined && !/^\s*(|0|f|false|n|no|off|none)\s*$/i.test(text);

/** Instances that match the query, newest first. @throws Fault `InvalidServerStatus` and its like for a filter that says nothing sensible */
export async function listInstances(
  deps: Deps,
  context: RequestContext,
  query: URLSearchParams,
  page: Page,
): Promise<ListedRow[]> {
  authorize(deps, context, 'compute:get_all');
  const filters = new Map(query);
  if (!context.isAdmin) {
    for (const name of filters.keys()) if (!FILTERS_OF_USERS.has(name)) filters.delete(name);
  }
  const status = filters.get('status');
  if (status !== undefined) {
    const state = STATUS_STATES[status.toLowerCase()];
    if (state === undefined) throw computeFault('InvalidServerStatus', { status });
    filters.set('vm_state', state);
  }
  const { knex } = deps.db;
  const rows = knex('instances').select(...COLUMNS);

  const since = filters.get('changes-since');
  if (since !== undefined) rows.where('updated_at', '>', toSqlTime(changesSince(since)));
  let deleted: boolean | undefined = since === undefined ? false : undefined;
  if (filters.has('deleted')) deleted = isWanted(filters.get('deleted'));
  if (filters.get('vm_state') === 'deleted') {
    if (!context.isAdmin) throw computeFault('DeletedServersAdminOnly');
    deleted = true;
  }
  if (deleted === true)
    rows.where(where => void where.where('deleted', 1).orWhere('vm_state', 'soft-delete'));
  if (deleted === false) rows.where('deleted', 0).whereNot('vm_state', 'soft-delete');

  const tenant = filters.get('tenant_id');
  if (tenant !== undefined) filters.set('project_id', tenant);
  if (!context.isAdmin || !isWanted(filters.get('all_tenants')))
    filters.set('project_id', context.projectId ?? '');

  const image = filters.get('image');
  if (image !== undefined) rows.where('image_ref', image);
  const flavor = filters.get('flavor');
  if (flavor !== undefined) {
    const row = await findFlavor(deps, context, flavor);
    if (!row) return [];
    rows.where('instance_type_id', row.id);
  }
  const name = filters.get('name');
  if (name !== undefined) matching(rows, 'display_name', name);
  for (const [column, value] of filters) {
    if (EXACT.has(column)) rows.where(column, value);
    else if (SEARCHABLE.has(column)) matching(rows, column, value);
  }
  await narrowToAddresses(deps, rows, filters);

  const after = page.marker === undefined ? undefined : await placeOf(deps, page.marker, context);
  if (page.limit === 0) return [];
  return (await paginate(rows, NEWEST_FIRST, after, page.limit)) as ListedRow[];
}

async function findFlavor(
  deps: Deps,
  context: RequestContext,
  flavorid: string,
): Promise<FlavorRow | undefined> {
  try {
    return await flavorByFlavorId(deps.db.knex, flavorid, context, { deleted: true });
  } catch (error) {
    if (isFault(error, 'FlavorNotFound')) return undefined;
    throw error;
  }
}

/** The values of the sort keys of the marker's row. */
async function placeOf(deps: Deps, marker: string, context: RequestContext): Promise<unknown[]> {
  const found = deps.db.knex('instances').where({ uuid: marker, deleted: 0 });
  if (!context.isAdmin) found.where('project_id', context.projectId ?? '');
  const row = (await found.first('created_at', 'id')) as { created_at: string; id: number } | undefined;
  if (!row) throw computeFault('ListMarkerNotFound', { marker });
  return [row.created_at, row.id];
}

function changesSince(text: string): number {
  const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text.trim());
  const ms = iso ? Date.parse(iso[3] ? text.trim() : `${text.trim()}Z`) : Number.NaN;
  if (Number.isNaN(ms)) throw computeFault('InvalidChangesSince');
  return ms;
}
