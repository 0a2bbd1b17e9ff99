import type { ComputeDriver } from '@folsom/compute-agent';
import { filterDuties, filtered, firewall } from '@folsom/compute-agent/testing';
import { type Logger, silentLogger } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Runner } from '@folsom/host/runner';

/** A simulated hypervisor whose guests have the security groups of real ones, in a packet filter that is only remembered. */
export function filteredDriver(
  driver: ComputeDriver,
  parts: { db: Database; runner: Runner; host: string; log?: Logger },
): ComputeDriver {
  const walls = firewall({
    db: parts.db,
    runner: parts.runner,
    log: parts.log ?? silentLogger,
    allowSameNetTraffic: true,
  });
  return {
    ...driver,
    init: async guests => {
      await walls.adopt(guests.map(filtered));
      await driver.init(guests);
    },
    spawn: async (request, step) => {
      await walls.add({ ...request.guest, network: request.network });
      await driver.spawn(request, step);
    },
    destroy: async (guest, ...rest) => {
      await driver.destroy(guest, ...rest);
      await walls.remove(guest);
    },
    reboot: async (guest, network, ...rest) => {
      await walls.add({ ...guest, network });
      await driver.reboot(guest, network, ...rest);
    },
    powerOn: async (guest, network, volumes) => {
      await walls.add({ ...guest, network });
      await driver.powerOn(guest, network, volumes);
    },
    resume: async (guest, network, volumes) => {
      await walls.add({ ...guest, network });
      await driver.resume(guest, network, volumes);
    },
    finishMigration: async request => {
      await walls.add({ ...request.guest, network: request.network });
      await driver.finishMigration(request);
    },
    finishRevertMigration: async request => {
      await walls.add({ ...request.guest, network: request.network });
      await driver.finishRevertMigration(request);
    },
    confirmMigration: async (guest, network) => {
      await driver.confirmMigration(guest, network);
      if (guest.host !== parts.host) await walls.remove(guest);
    },
    ...filterDuties(walls),
  };
}
