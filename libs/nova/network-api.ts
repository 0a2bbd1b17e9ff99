import { ConfigError } from '@folsom/config';
import { type Clock, isFault, type RequestContext } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Bus } from '@folsom/rpc';
import { instanceIdentity } from './instance-identity.ts';
import { saveNetworkInfo } from './instance-info-cache.ts';
import type { NetworkInfo } from './network-info.ts';
import { networkContract, type RequestedNetworkList } from './rpc/network.ts';

/**
 * A daemon whose configuration asks for another network service would boot guests beside it.
 * @throws ConfigError unless `network_api_class` is nova-network's
 */
export function onlyNovaNetwork(path: string): void {
  if (path === 'nova.network.api.API') return;
  throw new ConfigError(
    `network_api_class ${path} is not supported: networks are nova-network's (nova.network.api.API), Quantum is not spoken to`,
  );
}

/** What the network service needs to know of an instance. */
export interface NetworkedInstance {
  id: number;
  uuid: string;
  project_id: string | null;
  host: string | null;
  /** rxtx_factor of its flavor. */
  rxtx_factor: number | null;
}

export type NetworkApi = ReturnType<typeof networkApi>;

/**
 * The network service as its callers see it. Answers that describe an instance's network are stored in the
 * instance's cache on the way, as Folsom's own client does.
 */
export function networkApi({ bus, db, clock }: { bus: Bus; db: Database; clock: Clock }) {
  const client = networkContract.client(bus);
  const remember = async (uuid: string, info: NetworkInfo): Promise<NetworkInfo> => {
    await saveNetworkInfo(db, uuid, info, clock.now());
    return info;
  };
  const query = (instance: NetworkedInstance) => ({
    instance_id: instance.id,
    instance_uuid: instance.uuid,
    rxtx_factor: instance.rxtx_factor,
    host: instance.host,
    project_id: instance.project_id ?? '',
  });
  return {
    client,

    async allocateForInstance(
      context: RequestContext,
      instance: NetworkedInstance,
      requested: RequestedNetworkList,
      vpn = false,
    ): Promise<NetworkInfo> {
      const info = await client.allocate_for_instance(context, {
        ...query(instance),
        requested_networks: requested,
        vpn,
      });
      return remember(instance.uuid, info);
    },

    /**
     * Gives the instance's addresses back; with `onlyIfHost` not once it is another host's. An original network service
     * refuses the argument that it does not know, and is asked without it.
     */
    async deallocateForInstance(
      context: RequestContext,
      instance: NetworkedInstance,
      onlyIfHost?: string,
    ): Promise<void> {
      const args = { instance_id: instance.id, project_id: instance.project_id, host: instance.host };
      const mine = onlyIfHost === undefined ? {} : { only_if_host: onlyIfHost };
      try {
        await client.deallocate_for_instance(context, { ...args, ...mine });
      } catch (error) {
        if (!refusesArgument(error)) throw error;
        await client.deallocate_for_instance(context, args);
      }
      if (onlyIfHost !== undefined) {
        const { host } = await instanceIdentity(db, instance.uuid);
        if (host !== null && host !== onlyIfHost) return;
      }
      // What is free again is shown no longer; a network that is asked for later fills it anew.
      await remember(instance.uuid, []);
    },

    async instanceNetworkInfo(context: RequestContext, instance: NetworkedInstance): Promise<NetworkInfo> {
      return remember(instance.uuid, await client.get_instance_nw_info(context, query(instance)));
    },

    async addFixedIp(context: RequestContext, instance: NetworkedInstance, networkId: string): Promise<void> {
      await client.add_fixed_ip_to_instance(context, {
        instance_id: instance.id,
        host: instance.host,
        network_id: networkId,
      });
    },

    async removeFixedIp(
      context: RequestContext,
      instance: NetworkedInstance,
      address: string,
    ): Promise<void> {
      await client.remove_fixed_ip_from_instance(context, {
        instance_id: instance.uuid,
        host: instance.host,
        address,
      });
    },

    async setupOnHost(
      context: RequestContext,
      instance: NetworkedInstance,
      host: string | null,
      teardown = false,
    ): Promise<void> {
      await client.setup_networks_on_host(context, { instance_id: instance.id, host, teardown });
    },
  };
}

/** Python's answer to a keyword that the function does not have. */
const refusesArgument = (error: unknown): boolean =>
  isFault(error, 'RemoteError') &&
  error.values.exc_type === 'TypeError' &&
  String(error.values.value).includes('only_if_host');
