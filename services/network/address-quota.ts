import { isFault, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { networkFault } from '@folsom/nova/network-faults';
import { refreshUsage } from '@folsom/nova/quota-lock';
import { defaultLimits, limitsOf } from '@folsom/nova/quotas';
import { commitReservations, reserve, rollbackReservations } from '@folsom/nova/reservations';
import type { AddressQuota } from './addresses.ts';

/**
 * Holds tenants to quota_fixed_ips or quota_floating_ips (-1 is no limit), and writes down what they have after each change: an original
 * that allocates later goes by it.
 * @throws Fault `FixedIpLimitExceeded`, `FloatingIpLimitExceeded`
 */
export function addressQuota(
  db: Database,
  world: World,
  settings: Readonly<Record<string, unknown>> & { reservation_expire: number },
  resource: 'fixed_ips' | 'floating_ips',
): AddressQuota {
  const defaults = defaultLimits(settings);
  const nothing = async () => {};
  const noted = (projectId: string) => ({
    // What has been done is not undone because it could not be noted: the scheduler looks again.
    commit: () =>
      refreshUsage(db, projectId, world.clock.now()).catch(error =>
        world.log.warn('the use of quota could not be written down', { tenant: projectId, resource, error }),
      ),
    rollback: nothing,
  });
  return {
    reserve: async (_context, projectId, delta) => {
      if (projectId === null) return { commit: nothing, rollback: nothing };
      // What is given back is counted as free as soon as it is; only taking needs a promise.
      if (delta < 0) return noted(projectId);
      const limits = await limitsOf(db.knex, projectId, defaults);
      if (limits[resource] < 0) return noted(projectId);
      const now = world.clock.now();
      try {
        const promise = { now, random: world.random, expireSeconds: settings.reservation_expire };
        const ids = await reserve(db, projectId, defaults, { [resource]: 1 }, promise);
        return {
          commit: () => commitReservations(db, ids, world.clock.now()),
          rollback: () => rollbackReservations(db, ids, world.clock.now()),
        };
      } catch (error) {
        if (isFault(error, 'OverQuota'))
          throw networkFault(resource === 'fixed_ips' ? 'FixedIpLimitExceeded' : 'FloatingIpLimitExceeded');
        throw error;
      }
    },
  };
}
