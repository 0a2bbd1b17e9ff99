import { elevated, isFault, must, type RequestContext } from '@folsom/core';
import {
  type FloatingIpRow,
  floatingIpByAddress,
  floatingIpById,
  floatingIpsOfProject,
  floatingPools,
} from '@folsom/nova/floating-ips';
import { instanceRecord } from '@folsom/nova/instance-records';
import { networkFault } from '@folsom/nova/network-faults';
import { fixedIpsOf, parseNetworkInfo } from '@folsom/nova/network-info';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { getInstance } from './instances.ts';

/** A floating address of a tenant and where it leads. */
export interface LeadingFloatingIp extends FloatingIpRow {
  fixed_address: string | null;
  instance_uuid: string | null;
}

/** What a tenant has, oldest first. */
export const listFloatingIps = async (deps: Deps, context: RequestContext): Promise<LeadingFloatingIp[]> =>
  leading(deps, await floatingIpsOfProject(deps.db, context.projectId ?? ''));

/** Names of the pools that addresses are taken from. */
export const floatingIpPools = (deps: Deps, _context: RequestContext): Promise<{ name: string }[]> =>
  floatingPools(deps.db);

/** One of the tenant's. @throws Fault `FloatingIpNotFound` */
export async function getFloatingIp(
  deps: Deps,
  context: RequestContext,
  id: number,
): Promise<LeadingFloatingIp> {
  const row = await floatingIpById(deps.db, id);
  if (!mayUse(context, row)) throw networkFault('FloatingIpNotFound', { id });
  const [found] = await leading(deps, [row]);
  return must(found, 'found is there');
}

/** One by its address, of the caller's tenant. @throws Fault `FloatingIpNotFoundForAddress` */
export async function getFloatingIpByAddress(
  deps: Deps,
  context: RequestContext,
  address: string,
): Promise<LeadingFloatingIp> {
  const row = await floatingIpByAddress(deps.db, address);
  if (!mayUse(context, row)) throw networkFault('FloatingIpNotFoundForAddress', { address });
  const [found] = await leading(deps, [row]);
  return must(found, 'found is there');
}

/** Takes an address away from the instance that it leads to. @throws Fault `FloatingIpNotFoundForAddress`, `FloatingIpNotAssociated` */
export async function disassociateAddress(
  deps: Deps,
  context: RequestContext,
  address: string,
): Promise<void> {
  const row = await getFloatingIpByAddress(deps, context, address);
  if (row.fixed_ip_id === null) throw networkFault('FloatingIpNotAssociated', { address });
  if (row.instance_uuid !== null) await getInstance(deps, context, row.instance_uuid);
  await disassociate(deps, context, row);
}

const mayUse = (context: RequestContext, row: FloatingIpRow): boolean =>
  context.isAdmin || row.project_id === context.projectId;

/** Where the addresses lead: one query for all of them. */
async function leading(deps: Deps, rows: readonly FloatingIpRow[]): Promise<LeadingFloatingIp[]> {
  const ids = rows.map(row => row.fixed_ip_id).filter(id => id !== null);
  const fixed = new Map<number, { address: string; instance_uuid: string | null }>();
  if (ids.length > 0) {
    const found = await deps.db
      .knex('fixed_ips')
      .where('deleted', 0)
      .whereIn('id', ids)
      .select('id', 'address', 'instance_uuid');
    for (const row of found) fixed.set(row.id, row);
  }
  return rows.map(row => {
    const to = row.fixed_ip_id === null ? undefined : fixed.get(row.fixed_ip_id);
    return { ...row, fixed_address: to?.address ?? null, instance_uuid: to?.instance_uuid ?? null };
  });
}

/** Takes an address of a pool for the tenant. @throws Fault `NoMoreFloatingIps`, `FloatingIpLimitExceeded` */
export async function allocateFloatingIp(
  deps: Deps,
  context: RequestContext,
  pool: string | null,
): Promise<LeadingFloatingIp> {
  const project_id = context.projectId ?? '';
  const address = await deps.network.client
    .allocate_floating_ip(context, { project_id, pool })
    .catch(error => {
      throw isFault(error, 'NoMoreFloatingIps') ? networkFault('NoMoreFloatingIps', { pool }) : error;
    });
  const row = await floatingIpByAddress(deps.db, address);
  return { ...row, fixed_address: null, instance_uuid: null };
}

/** Gives an address back, away from the instance that it leads to. @throws Fault `FloatingIpNotFound` */
export async function releaseFloatingIp(deps: Deps, context: RequestContext, id: number): Promise<void> {
  const row = await getFloatingIp(deps, context, id);
  if (row.fixed_ip_id !== null) await disassociate(deps, context, row);
  await deps.network.client.deallocate_floating_ip(context, { address: row.address });
}

/**
 * Lets an address lead to the first fixed address of an instance.
 *
 * @throws Fault `InstanceNotFound`, `FloatingIpAssociated`, `NoFloatingIpInterface`, `NoFixedIpForFloatingIp` and its like
 */
export async function addFloatingIp(
  deps: Deps,
  context: RequestContext,
  serverId: string,
  address: string,
): Promise<void> {
  const instance = await getInstance(deps, context, serverId);
  if (!instance.info_cache) throw computeFault('NetworkInfoMissing');
  const [fixed] = fixedIpsOf(parseNetworkInfo(instance.info_cache.network_info));
  if (fixed === undefined) throw computeFault('NoFixedIpForFloatingIp');
  try {
    const before = await deps.network.client.associate_floating_ip(context, {
      floating_address: address,
      fixed_address: String(fixed.address),
    });
    await refresh(deps, context, instance.uuid);
    if (before !== null && before !== instance.uuid) await refresh(deps, context, before);
  } catch (error) {
    if (isFault(error, 'FloatingIpAssociated') || isFault(error, 'NoFloatingIpInterface')) throw error;
    deps.log.warn('floating address not associated', { instance: instance.uuid, address, error });
    throw computeFault('FloatingIpNotAssociable');
  }
}

/**
 * Takes an address away from an instance; false where it does not lead there.
 *
 * @throws Fault `InstanceNotFound`, `FloatingIpNotFoundForAddress`, `CannotDisassociateAutoAssignedFloatingIP`
 */
export async function removeFloatingIp(
  deps: Deps,
  context: RequestContext,
  serverId: string,
  address: string,
): Promise<boolean> {
  const instance = await getInstance(deps, context, serverId);
  const found = await floatingIpByAddress(deps.db, address);
  if (!mayUse(context, found)) throw networkFault('FloatingIpNotFoundForAddress', { address });
  const [row] = await leading(deps, [found]);
  if (row?.instance_uuid !== instance.uuid) return false;
  await disassociate(deps, context, row);
  return true;
}

async function disassociate(deps: Deps, context: RequestContext, row: LeadingFloatingIp): Promise<void> {
  await deps.network.client.disassociate_floating_ip(context, { address: row.address });
  if (row.instance_uuid !== null) await refresh(deps, context, row.instance_uuid);
}

/** What listings show of the instance's network. The instance may go meanwhile: then nothing is shown. */
async function refresh(deps: Deps, context: RequestContext, uuid: string): Promise<void> {
  try {
    const record = await instanceRecord(deps.db.knex, uuid);
    const { id, project_id, host, flavor } = record;
    const networked = { id, uuid, project_id, host, rxtx_factor: flavor.rxtx_factor };
    await deps.network.instanceNetworkInfo(elevated(context), networked);
  } catch (error) {
    if (!isFault(error, 'InstanceNotFound')) throw error;
  }
}
