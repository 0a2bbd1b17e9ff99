import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { powerState } from '@folsom/nova/instance-state';
import type { ComputeDriver, Guest } from '../../driver.ts';
import type { ComputeSettings } from '../../settings.ts';
import type { LibvirtConnection } from './connection.ts';
import type { GuestDomains } from './domains.ts';
import { existingGuestFiles, type Making, makeGuestFiles } from './guest-files.ts';

/** A guest booted from a disk of another image, its own disk beside it, and the way back. */
export function rescuing(options: {
  libvirt: LibvirtConnection;
  domains: GuestDomains;
  making: Omit<Making, 'folder'>;
  settings: ComputeSettings;
}): Pick<ComputeDriver, 'rescue' | 'unrescue'> {
  const { libvirt, domains, making, settings } = options;
  return {
    async rescue(request) {
      const { guest } = request;
      const folder = domains.folderOf(guest);
      const rescueGuest: Guest = {
        ...guest,
        kernel_id: settings.rescue_kernel_id ?? guest.kernel_id,
        ramdisk_id: settings.rescue_ramdisk_id ?? guest.ramdisk_id,
      };
      const xml = await libvirt.xml(guest.name);
      await writeFile(join(folder, 'unrescue.xml'), xml, { mode: 0o600 });
      await makeGuestFiles({ ...request, guest: rescueGuest }, { ...making, folder, suffix: '.rescue' });
      await domains.undefine(guest);
      await domains.defineAndStart(
        guest,
        await existingGuestFiles(folder, '.rescue'),
        request.network,
        request.volumes,
      );
    },
    async unrescue(guest, network, attached) {
      // A rescue that never came so far has not touched the guest.
      const xml = await libvirt.xml(guest.name).catch(() => '');
      const own = xml !== '' && !xml.includes('/disk.rescue');
      if (!own || (await domains.stateOf(guest)) !== powerState.running)
        await domains.hardReboot(guest, network, attached);
      const folder = domains.folderOf(guest);
      for (const name of await readdir(folder)) {
        if (name.endsWith('.rescue') || name === 'unrescue.xml')
          await rm(join(folder, name), { force: true });
      }
    },
  };
}
