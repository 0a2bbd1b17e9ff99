import { isFault, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { networkFault } from '@folsom/nova/network-faults';
import { defaultLimits, limitsOf } from '@folsom/nova/quotas';
import { commitReservations, reserve, rollbackReservations } from '@folsom/nova/reservations';
import type { AddressQuota } from './addresses.ts';

/**
 * Holds tenants to quota_fixed_ips or quota_floating_ips (-1 is no limit).
 * @throws Fault `FixedIpLimitExceeded`, `FloatingIpLimitExceeded`
 */
export function addressQuota(
  db: Database,
  world: World,
  settings: Readonly<Record<string, unknown>> & { reservation_expire: number },
  resource: 'fixed_ips' | 'floating_ips',
): AddressQuota {
  const defaults = defaultLimits(settings);
  const nothing = { commit: async () => {}, rollback: async () => {} };
  return {
    reserve: async (_context, projectId, delta) => {
      // What is given back is counted as free as soon as it is; only taking needs a promise.
      if (delta < 0 || projectId === null) return nothing;
      const limits = await limitsOf(db.knex, projectId, defaults);
      if (limits[resource] < 0) return nothing;
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
