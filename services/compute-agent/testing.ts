import { systemRandom } from '@folsom/core';
import type { SpawnRequest } from './driver.ts';
import { type GuestDisks, makeGuestFiles } from './drivers/libvirt/guest-files.ts';
import type { ImageCache } from './drivers/libvirt/image-cache.ts';

export { CONSOLE_CHARS_MAX, consoleOutput } from './console.ts';
export type { LibvirtConnection } from './drivers/libvirt/connection.ts';
export type { GuestDomains } from './drivers/libvirt/domains.ts';
export { filterDuties, filtered, firewall } from './drivers/libvirt/firewall.ts';
export { guestBridges } from './drivers/libvirt/guest-bridges.ts';
export { existingGuestFiles } from './drivers/libvirt/guest-files.ts';
export { imageCache } from './drivers/libvirt/image-cache.ts';
export { copyGuestFiles, growRootDisk } from './drivers/libvirt/moved-files.ts';
export { snapshotGuest } from './drivers/libvirt/snapshot.ts';
export { hostedGuests } from './firewall-audit.ts';
export { operations } from './operations/table.ts';
export { addFault, type ComputeSeam } from './seam.ts';
export { settingsOf } from './settings.ts';

/** Disks as nova.conf's defaults want them, with nothing written into them but the user's files. */
export const makePlainGuestFiles = (
  request: SpawnRequest,
  folder: string,
  cache: ImageCache,
): Promise<GuestDisks> =>
  makeGuestFiles(request, {
    folder,
    cache,
    rules: {
      layered: true,
      asUploaded: false,
      prefix: 'vd',
      ephemeral: () => 'mkfs.ext3 -L %(fs_label)s -F %(target)s',
      snapshots: 'qcow2',
    },
    injection: {
      key: false,
      password: false,
      partition: 1,
      random: systemRandom,
      network: async () => null,
    },
  });
