import { isFault, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { networkFault } from '@folsom/nova/network-faults';
import {
  commitReservations,
  defaultLimits,
  limitsOf,
  reserve,
  rollbackReservations,
} from '@folsom/nova/quotas';
import type { FixedIpQuota } from './addresses.ts';

/** Holds tenants to quota_fixed_ips (-1, the default, is no limit). @throws Fault `FixedIpLimitExceeded` */
export function fixedIpQuota(
  db: Database,
  world: World,
  settings: Readonly<Record<string, unknown>> & { reservation_expire: number },
): FixedIpQuota {
  const defaults = defaultLimits(settings);
  const nothing = { commit: async () => {}, rollback: async () => {} };
  return {
    reserve: async (_context, projectId, delta) => {
      // What is given back is counted as free as soon as it is; only taking needs a promise.
      if (delta < 0 || projectId === null) return nothing;
      const limits = await limitsOf(db.knex, projectId, defaults);
      if (limits.fixed_ips < 0) return nothing;
      const now = world.clock.now();
      try {
        const promise = { now, random: world.random, expireSeconds: settings.reservation_expire };
        const ids = await reserve(db, projectId, defaults, { fixed_ips: 1 }, promise);
        return {
          commit: () => commitReservations(db, ids, world.clock.now()),
          rollback: () => rollbackReservations(db, ids, world.clock.now()),
        };
      } catch (error) {
        if (isFault(error, 'OverQuota')) throw networkFault('FixedIpLimitExceeded');
        throw error;
      }
    },
  };
}
