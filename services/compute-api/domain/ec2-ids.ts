import type { RequestContext } from '@folsom/core';
import { type Ec2Kind, ec2Numbers, ec2Uuids } from '@folsom/nova/ec2-ids';
import type { Deps } from './deps.ts';

export { type Ec2Prefix, ec2Id } from '@folsom/nova/ec2-ids';
export type { Ec2Kind };

/** Numbers of EC2's ids by uuid; given out where there were none. Says nothing about whose they are. */
export const numbersOf = (
  deps: Deps,
  _context: RequestContext,
  kind: Ec2Kind,
  uuids: readonly string[],
): Promise<Map<string, number>> => ec2Numbers(deps.db, kind, uuids, deps.clock.now());

/** The uuid behind a number, whoever has it: it is looked up within the tenant afterwards. */
export const uuidOf = async (
  deps: Deps,
  _context: RequestContext,
  kind: Ec2Kind,
  number: number,
): Promise<string | undefined> => (await ec2Uuids(deps.db, kind, [number])).get(number);

/** The same for several. */
export const uuidsOf = (
  deps: Deps,
  _context: RequestContext,
  kind: Ec2Kind,
  numbers: readonly number[],
): Promise<Map<number, string>> => ec2Uuids(deps.db, kind, numbers);
