import {
  createFloatingIps,
  deleteFloatingIps,
  type ListedFloatingIp,
  listFloatingIps,
} from '@folsom/nova/floating-ip-blocks';
import type { OperatorDeps } from './deps.ts';

/** Gives a pool these addresses, all or none. Pool and interface: default those of the configuration. @throws Fault `FloatingIpExists` */
export async function create(
  { db, config, clock }: OperatorDeps,
  addresses: readonly string[],
  { pool, nic }: { pool: string | undefined; nic: string | undefined },
): Promise<void> {
  const block = {
    addresses,
    pool: pool || config.default_floating_pool,
    interface: nic || config.public_interface,
  };
  await createFloatingIps(db, block, clock.now());
}

export async function remove({ db, clock }: OperatorDeps, addresses: readonly string[]): Promise<void> {
  await deleteFloatingIps(db, addresses, clock.now());
}

/** All of them; with a host those that lead to its servers. */
export const list = ({ db }: OperatorDeps, host?: string): Promise<ListedFloatingIp[]> =>
  listFloatingIps(db, host);
