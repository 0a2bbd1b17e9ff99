import { lastAuditPeriod } from '@folsom/nova/audit-period';
import { cardUsage, writeCardUsage } from '@folsom/nova/bandwidth';
import type { CardCounters, Guest } from './driver.ts';
import { type ComputeSeam, nowOf } from './seam.ts';

/** Counts what guests' cards send and receive. */
export interface BandwidthPoll {
  /** Reads the counters of these guests where it is time to (`bandwidth_poll_interval`). */
  poll(guests: readonly Guest[]): Promise<void>;
}

/**
 * The hypervisor counts from a guest's start; `bw_usage_cache` holds what came to pass in a period of the audit. What is between
 * two looks is added; a counter that has fallen is one of a guest that was started again. After a start of this service a
 * card that has a row begins at what its counter shows.
 */
export function bandwidthPoll(seam: ComputeSeam): BandwidthPoll {
  const seen = new Map<string, CardCounters>();
  let next = Number.NEGATIVE_INFINITY;

  const count = async (guest: Guest, card: CardCounters, begin: number): Promise<void> => {
    const key = `${guest.uuid} ${card.mac}`;
    const last = seen.get(key);
    await seam.db.transaction(async trx => {
      const written = await cardUsage(trx, { uuid: guest.uuid, mac: card.mac }, begin);
      const all = written === undefined && (guest.launched_at ?? 0) >= begin;
      const since = (now: number, before: number | undefined): number => {
        if (before === undefined) return all ? now : 0;
        return now < before ? now : now - before;
      };
      const usage = {
        uuid: guest.uuid,
        mac: card.mac,
        bytesIn: (written?.bytesIn ?? 0) + since(card.bytesIn, last?.bytesIn),
        bytesOut: (written?.bytesOut ?? 0) + since(card.bytesOut, last?.bytesOut),
      };
      await writeCardUsage(trx, usage, begin, nowOf(seam));
    });
    seen.set(key, card);
  };

  return {
    async poll(guests) {
      const { bandwidth_poll_interval: interval, instance_usage_audit_period: period } = seam.settings;
      const now = seam.world.clock.monotonic();
      if (interval <= 0 || now < next) return;
      next = now + interval * 1000;
      const begin = lastAuditPeriod(period, nowOf(seam)).end;
      const present = new Set<string>();
      for (const guest of guests) {
        for (const card of await seam.driver.cardCounters(guest)) {
          present.add(`${guest.uuid} ${card.mac}`);
          await count(guest, card, begin);
        }
      }
      for (const key of seen.keys()) if (!present.has(key)) seen.delete(key);
    },
  };
}
