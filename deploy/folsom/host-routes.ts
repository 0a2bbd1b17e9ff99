import { readFile } from 'node:fs/promises';
import { must } from '@folsom/core';
import { type Cidr, containsCidr, formatCidr, parseCidr } from '@folsom/nova/ipv4';
import { CannotStart } from './preflight.ts';

export interface Route {
  device: string;
  network: Cidr;
}

/** The host's IPv4 routes besides the default route, from the text of /proc/net/route. */
export function readRoutes(text: string): Route[] {
  const routes: Route[] = [];
  for (const line of text.split('\n').slice(1)) {
    const fields = line.split('\t').map(field => field.trim());
    const [device, destination, , , , , , mask] = fields;
    if (!device || !/^[0-9A-F]{8}$/.test(destination ?? '') || !/^[0-9A-F]{8}$/.test(mask ?? '')) continue;
    const network = parseCidr(
      `${dotted(must(destination, 'destination is there'))}/${ones(must(mask, 'mask is there'))}`,
    );
    if (network.prefix > 0) routes.push({ device, network });
  }
  return routes;
}

/** Least significant byte first, as the kernel prints it on little-endian machines. */
const bytesOf = (hex: string): number[] => [6, 4, 2, 0].map(at => Number.parseInt(hex.slice(at, at + 2), 16));
const dotted = (hex: string): string => bytesOf(hex).join('.');
const ones = (hex: string): number =>
  bytesOf(hex).reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

/** A network for guests: `a.b.c.d/n` with room for a gateway and a guest. @throws CannotStart */
export function parseFixedRange(text: string): Cidr {
  let range: Cidr;
  try {
    range = parseCidr(text);
  } catch {
    throw new CannotStart(`--fixed-range ${text} is no network; write it as 10.0.0.0/24`);
  }
  if (range.prefix > 29 || range.prefix < 8)
    throw new CannotStart(`--fixed-range ${text} must be between /8 and /29`);
  return range;
}

/** Refuses a network for guests that hides something this host reaches by another device. @throws CannotStart */
export async function checkFixedRange(fixedRange: string, bridge: string): Promise<void> {
  const range = parseFixedRange(fixedRange);
  const text = await readFile('/proc/net/route', 'utf8').catch(() => '');
  const clash = clashing(range, readRoutes(text), bridge);
  if (clash) {
    throw new CannotStart(
      `the guests' network ${formatCidr(range)} clashes with ${formatCidr(clash.network)}, which this host reaches ` +
        `through ${clash.device}; choose another one with --fixed-range`,
    );
  }
}

/** The first route of another device than `bridge` that overlaps the range. */
export const clashing = (range: Cidr, routes: readonly Route[], bridge: string): Route | undefined =>
  routes.find(
    ({ device, network }) =>
      device !== bridge && (containsCidr(network, range) || containsCidr(range, network)),
  );
