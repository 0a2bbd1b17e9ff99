import { isFault, must, type RequestContext } from '@folsom/core';
import type { NetworkRow } from '@folsom/nova/networks';
import type { CreateNetworks } from '@folsom/nova/rpc/network';
import type { Deps } from './deps.ts';
import { computeFault, isRefusal } from './faults.ts';
import { networkSize } from './network-size.ts';

export type { NetworkRow };

/** A cloud without networks is no fault. */
export async function listNetworks(deps: Deps, context: RequestContext): Promise<NetworkRow[]> {
  try {
    return await deps.network.client.get_all_networks(context, {});
  } catch (error) {
    if (isFault(error, 'NoNetworksFound')) return [];
    throw error;
  }
}

/** @throws Fault `NetworkNotFound`, `NetworkNotFoundForUUID` */
export const getNetwork = (deps: Deps, context: RequestContext, uuid: string): Promise<NetworkRow> =>
  deps.network.client.get_network(context, { network_uuid: uuid });

/** Built-in exceptions that the original's network service raises for a range. */
const REFUSALS: ReadonlySet<unknown> = new Set(['ValueError', 'AddrFormatError']);

/** One network of the size of its block. @throws Fault `InvalidNetworkSize`, `NetworkRefused` */
export async function createNetwork(
  deps: Deps,
  context: RequestContext,
  request: Omit<CreateNetworks, 'num_networks' | 'network_size'>,
): Promise<NetworkRow> {
  const size = networkSize(request.cidr || request.cidr_v6 || '');
  if (size === undefined) throw computeFault('InvalidNetworkSize');
  try {
    const made = await deps.network.client.create_networks(context, {
      ...request,
      num_networks: 1,
      network_size: size,
    });
    return must(made[0], 'made is not empty');
  } catch (error) {
    // What the network service finds wrong with the values, such as a range that is taken; other errors are its own.
    if (isFault(error, 'RemoteError') && REFUSALS.has(error.values.exc_type)) {
      throw computeFault('NetworkRefused', { reason: error.values.value });
    }
    throw error;
  }
}

/** @throws Fault `NetworkNotFound`, `NetworkNotFoundForUUID` */
export async function deleteNetwork(deps: Deps, context: RequestContext, uuid: string): Promise<void> {
  await deps.network.client.delete_network(context, { fixed_range: null, uuid });
}

/** Takes it away from its project. @throws Fault `NetworkNotFound`, `NetworkNotFoundForUUID` */
export async function disassociateNetwork(deps: Deps, context: RequestContext, uuid: string): Promise<void> {
  await deps.network.client.disassociate_network(context, { network_uuid: uuid });
}

/** Gives the caller's project a network: that one, or any that is free. @throws Fault `NetworkNotAssociable` */
export async function associateNetwork(
  deps: Deps,
  context: RequestContext,
  uuid: string | null,
): Promise<void> {
  const project_id = context.projectId;
  try {
    await deps.bus.call(context, deps.config.network_topic, {
      method: 'add_network_to_project',
      args: { project_id, network_uuid: uuid },
    });
  } catch (error) {
    const reason = isRefusal(error) ? error.message : 'the network service refused';
    throw computeFault('NetworkNotAssociable', { network: uuid ?? '', project_id, reason });
  }
}
