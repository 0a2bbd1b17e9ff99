import { readFile } from 'node:fs/promises';
import { addressAt, type Cidr, formatCidr, parseCidr } from '@folsom/nova/ipv4';
import { clashing, readRoutes } from './host-routes.ts';
import { BRIDGE } from './layout.ts';
import { CannotStart } from './preflight.ts';

/** Reachable from this machine and its guests; nobody routes it. */
export const DEFAULT_FLOATING_RANGE = '172.24.4.224/28';

/** No pool of floating addresses. */
export const NO_FLOATING_RANGE = 'none';

/** @throws CannotStart for what is no block of addresses */
export function parseFloatingRange(text: string): Cidr {
  let range: Cidr;
  try {
    range = parseCidr(text);
  } catch {
    throw new CannotStart(
      `--floating-range ${text} is no network; write it as ${DEFAULT_FLOATING_RANGE}, or none`,
    );
  }
  if (range.prefix > 30 || range.prefix < 20)
    throw new CannotStart(`--floating-range ${text} must be between /20 and /30`);
  return range;
}

/** All addresses of a block but the first and the last. */
export function addressesOf(text: string): string[] {
  const range = parseFloatingRange(text);
  return Array.from({ length: range.size - 2 }, (_none, index) => addressAt(range, index + 1));
}

/** The route of this host that the block would hide; undefined where it is free. */
export async function floatingClash(text: string): Promise<string | undefined> {
  const routes = readRoutes(await readFile('/proc/net/route', 'utf8').catch(() => ''));
  const clash = clashing(parseFloatingRange(text), routes, BRIDGE);
  return clash && `${formatCidr(clash.network)}, which this host reaches through ${clash.device}`;
}
