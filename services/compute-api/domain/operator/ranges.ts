import { addressAt, parseCidr, parseIpv4 } from '@folsom/nova/ipv4';

/** Largest block taken at once: every address becomes a row. */
const ADDRESSES_MAX = 65_536;

/** One address, or the hosts of a block: all but its first and last address. @throws where it is neither, or too small or large */
export function addressesIn(range: string): string[] {
  if (parseIpv4(range) !== undefined) return [range];
  let block: ReturnType<typeof parseCidr>;
  try {
    block = parseCidr(range);
  } catch {
    throw new Error(`invalid IPNetwork ${range}`);
  }
  if (block.size < 4) {
    throw new Error(
      `Invalid input received: /${block.prefix} should be specified as single address(es) not in cidr format`,
    );
  }
  if (block.size > ADDRESSES_MAX) {
    throw new Error(`Invalid input received: more than ${ADDRESSES_MAX} addresses at once`);
  }
  return Array.from({ length: block.size - 2 }, (_none, index) => addressAt(block, index + 1));
}
