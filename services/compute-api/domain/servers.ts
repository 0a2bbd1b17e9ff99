import type { RequestContext } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { instanceRecord } from '@folsom/nova/instance-records';
import { interfacesOfInstance, type VirtualInterfaceRow } from '@folsom/nova/virtual-interfaces';
import { change } from './actions.ts';
import type { Deps } from './deps.ts';
import {
  type Addresses,
  addressesOf,
  detailsOf,
  type ListedInstance,
  updatedAt,
} from './instance-details.ts';
import { getInstance, targetOf } from './instances.ts';
import { authorize } from './policy.ts';
import { type RebuildRequest, rebuild, type ServerChanges } from './rebuild.ts';

/** A server with everything that views show. @throws Fault `InstanceNotFound` */
export const showServer = async (deps: Deps, context: RequestContext, id: string): Promise<ListedInstance> =>
  detailsOf(deps, await getInstance(deps, context, id));

/** Changes what users may change at any time, and answers the server as it is then, with the time of the change before, as Folsom's. */
export async function changeServer(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  changes: ServerChanges,
): Promise<ListedInstance> {
  authorize(deps, context, 'compute:update', targetOf(instance));
  const changed = await detailsOf(deps, await change(deps, context, instance, changes));
  return { ...changed, updated: updatedAt(instance) };
}

/** {@link rebuild}, with the server as it is from then on. */
export async function rebuildServer(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  request: RebuildRequest,
): Promise<{ server: ListedInstance; password: string }> {
  const password = await rebuild(deps, context, instance, request);
  const after = await instanceRecord(deps.db.knex, instance.uuid, { readDeleted: 'yes' });
  return { server: await detailsOf(deps, after), password };
}

/** Addresses by network. @throws Fault `InstanceNotFound` */
export const serverAddresses = async (deps: Deps, context: RequestContext, id: string): Promise<Addresses> =>
  addressesOf((await getInstance(deps, context, id)).info_cache?.network_info);

/** @throws Fault `InstanceNotFound` */
export async function serverInterfaces(
  deps: Deps,
  context: RequestContext,
  id: string,
): Promise<VirtualInterfaceRow[]> {
  const instance = await getInstance(deps, context, id);
  return interfacesOfInstance(deps.db, instance.uuid);
}
