import { type ListedFixedIp, listFixedIps, setFixedIpReserved } from '@folsom/nova/fixed-ip-listing';
import type { OperatorDeps } from './deps.ts';

/** Addresses of existing networks in pages, those of one host's servers where a host is given. */
export const pages = ({ db }: OperatorDeps, host?: string): AsyncGenerator<ListedFixedIp[]> =>
  listFixedIps(db, host);

/** Keeps an address from servers, or lets them have it. @throws Fault `FixedIpNotFoundForAddress` */
export async function setReserved(
  { db, clock }: OperatorDeps,
  address: string,
  reserved: boolean,
): Promise<void> {
  await setFixedIpReserved(db, address, reserved, clock.now());
}
