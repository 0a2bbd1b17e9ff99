import type { Clock, Logger } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { vmState } from '@folsom/nova/instance-state';
import type { Guest } from '../../../driver.ts';
import type { LibvirtConnection, Scope } from '../connection.ts';
import { type DescribedDisk, type DomainDisk, describedDisks, diskXml } from '../disk-xml.ts';
import { ifThere } from '../domains.ts';
import { LibvirtError } from '../threads.ts';

/** Disks that come and go while a guest runs, or between two runs. */
export interface HotPlug {
  /** In the guest, now and at its next start. Again it finds the disk there. @throws Fault `DeviceIsBusy` */
  plug(guest: Guest, disk: DomainDisk): Promise<void>;
  /** Out of the guest for certain; one that is not there is fine. @throws Fault `DeviceIsBusy` when the guest does not let go */
  unplug(guest: Guest, disk: { target: string; serial: string }): Promise<void>;
}

/** libvirt's code for what cannot be done as things stand. */
const OPERATION_FAILED = 9;

/** How long a guest may take to let go of a disk; it does so only once its system is up. */
const LET_GO_MS = 60_000;
const LOOK_MS = 250;
/** A guest that did not hear is asked again. */
const ASK_EVERY = 20;

export function hotPlug(options: { libvirt: LibvirtConnection; clock: Clock; log: Logger }): HotPlug {
  const { libvirt, clock, log } = options;

  const scopesOf = async (guest: Guest): Promise<Scope[]> =>
    (await libvirt.isActive(guest.name)) ? ['live', 'config'] : ['config'];
  const find = async (guest: Guest, scope: Scope, target: string): Promise<DescribedDisk | undefined> =>
    describedDisks(await libvirt.description(guest.name, scope)).find(disk => disk.target === target);

  /** Asks a running guest to let go, and waits until it has. */
  const release = async (guest: Guest, target: string, serial: string): Promise<void> => {
    const end = clock.monotonic() + LET_GO_MS;
    for (let looks = 0; ; looks++) {
      const disk = await find(guest, 'live', target);
      if (disk?.serial !== serial) return;
      if (clock.monotonic() >= end) throw novaFault('DeviceIsBusy', { device: target });
      if (looks % ASK_EVERY === 0) {
        // What is asked for already fails; whether it happens is seen in the description alone.
        await libvirt.detach(guest.name, disk.xml, 'live').catch(error => {
          if (!(error instanceof LibvirtError)) throw error;
          log.info('a guest is still to let go of a disk', { guest: guest.name, target, error });
        });
      }
      await clock.sleep(LOOK_MS);
    }
  };

  const remove = async (guest: Guest, target: string, serial: string): Promise<void> => {
    for (const scope of await scopesOf(guest)) {
      const present = await find(guest, scope, target);
      if (present?.serial !== serial) continue;
      if (scope === 'live') await release(guest, target, serial);
      else await libvirt.detach(guest.name, present.xml, scope);
    }
  };

  return {
    async plug(guest, disk) {
      for (const scope of await scopesOf(guest)) {
        const present = await find(guest, scope, disk.target);
        if (present !== undefined && present.serial !== disk.serial)
          throw novaFault('DeviceIsBusy', { device: disk.target });
        if (present !== undefined) continue;
        await libvirt.attach(guest.name, diskXml(disk), scope).catch(error => {
          if (error instanceof LibvirtError && error.code === OPERATION_FAILED)
            throw novaFault('DeviceIsBusy', { device: disk.target }, { cause: error });
          throw error;
        });
      }
    },
    async unplug(guest, { target, serial }) {
      // Its saved memory would come back with the disk in it.
      if (guest.vm_state === vmState.suspended) throw novaFault('DeviceIsBusy', { device: target });
      await ifThere(remove(guest, target, serial));
    },
  };
}
