import type { FilterProperties } from '@folsom/nova/rpc/wire';
import { noValidHost } from './no-valid-host.ts';

type Retry = FilterProperties['retry'];

/**
 * The attempt that comes after those of a failed boot, whoever made them: each attempt has a number of its own, by which
 * a repeated message is known. Undefined where nothing has failed and nothing will be tried again.
 *
 * @param begins whether a boot that fails is tried again at all
 * @throws Fault `NoValidHost`
 */
export function nextAttempt(
  given: Retry,
  maxAttempts: number,
  uuid: string | undefined,
  begins = maxAttempts > 1,
): Retry {
  if (given === undefined) return begins ? { num_attempts: 1, hosts: [] } : undefined;
  const retry = { num_attempts: given.num_attempts + 1, hosts: [...given.hosts] };
  if (retry.num_attempts > maxAttempts) {
    throw noValidHost(
      `Exceeded max scheduling attempts ${maxAttempts} for instance ${uuid}. Hosts tried: ${retry.hosts.join(', ')}.`,
    );
  }
  return retry;
}
