import { parseCidr } from '@folsom/nova/ipv4';
import {
  allNetworks,
  deleteNetwork,
  type NetworkRow,
  networkByCidr,
  networkByUuid,
  updateNetwork,
} from '@folsom/nova/networks';
import { networksOfProject, takeNetworkForProject } from '@folsom/nova/project-networks';
import type { CreateNetworks } from '@folsom/nova/rpc/network';
import type { OperatorDeps } from './deps.ts';

/** As the network service is asked for them; numbers may be texts. */
export type NewNetworks = Partial<CreateNetworks>;

/** Refuses what is no block of addresses before anything is looked up. */
function checkBlock(text: string | null | undefined): void {
  if (!text) return;
  try {
    parseCidr(text);
  } catch {
    throw new Error(`invalid IPNetwork ${text}`);
  }
}

/** @throws where a range is none, and what the network service refuses */
export async function create({ db, createNetworks }: OperatorDeps, request: NewNetworks): Promise<void> {
  checkBlock(request.cidr);
  checkBlock(request.fixed_cidr);
  await createNetworks(db, request as CreateNetworks);
}

export const list = ({ db }: OperatorDeps): Promise<NetworkRow[]> => allNetworks(db);

/** By its id or its range; one that belongs to a project stays. @throws Fault `NetworkNotFoundForUUID`, `NetworkNotFoundForCidr` */
export async function remove(
  { db, clock }: OperatorDeps,
  which: { uuid: string } | { cidr: string },
): Promise<void> {
  const network = 'uuid' in which ? await networkByUuid(db, which.uuid) : await networkByCidr(db, which.cidr);
  if (network.project_id !== null) {
    throw new Error(`Network must be disassociated from project ${network.project_id} before delete`);
  }
  await deleteNetwork(db, network.id, clock.now());
}

/** Gives a network to a project or host; null takes it away. @throws Fault `NetworkNotFoundForCidr` */
export async function associate(
  { db, clock }: OperatorDeps,
  cidr: string,
  changes: { project_id?: string | null; host?: string | null },
): Promise<void> {
  const network = await networkByCidr(db, cidr);
  await updateNetwork(db, network.id, changes, clock.now());
}

/** Where a project's VPN is. One without a network is given a free one, as at its first server. @throws Fault `NoMoreNetworks` */
export async function setVpn(
  { db, clock }: OperatorDeps,
  projectId: string,
  { address, port }: { address: string; port: number },
): Promise<void> {
  const now = clock.now();
  const own = await networksOfProject(db, projectId);
  const networks = own.length > 0 ? own : [await takeNetworkForProject(db, projectId, now)];
  const values = { vpn_public_address: address, vpn_public_port: port };
  for (const { id } of networks) await updateNetwork(db, id, values, now);
}
