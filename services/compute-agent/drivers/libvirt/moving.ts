import { rename, rm, stat } from 'node:fs/promises';
import type { Guest, MoveRequest } from '../../driver.ts';
import type { ComputeSettings } from '../../settings.ts';
import type { GuestDomains } from './domains.ts';
import type { Firewall } from './firewall.ts';
import { existingGuestFiles, readDiskInfo } from './guest-files.ts';
import { copyGuestFiles, growRootDisk, putBack, sendGuestFiles, setAside } from './moved-files.ts';
import type { HostVolumes } from './volumes/host-volumes.ts';

/**
 * A resize, in its four parts. The guest's folder is set aside on the source (`NAME_resize`) until the user has decided,
 * so that it can come back as it was.
 */
export interface Moving {
  /** On the source. Answers what the destination must know. */
  away(request: MoveRequest, destination: string): Promise<string>;
  /** On the destination. */
  arrive(request: MoveRequest & { resize: boolean }): Promise<void>;
  /** On the source, the resize is taken back. */
  comeBack(request: MoveRequest): Promise<void>;
  /** On the source, the resize is confirmed. */
  forget(guest: Guest): Promise<void>;
}

export function moving(options: {
  domains: GuestDomains;
  volumes: HostVolumes;
  firewall: Firewall;
  settings: ComputeSettings;
}): Moving {
  const { domains, firewall, settings } = options;
  const startFromFiles = async ({ guest, network, volumes }: MoveRequest) =>
    domains.defineAndStart(guest, await existingGuestFiles(domains.folderOf(guest)), network, volumes);
  return {
    async away({ guest, signal, volumes }, destination) {
      const folder = domains.folderOf(guest);
      await domains.stop(guest);
      for (const volume of volumes) await options.volumes.disconnect(volume);
      const aside = await setAside(folder);
      try {
        if (destination === settings.my_ip || destination === '') await copyGuestFiles(aside, folder);
        else await sendGuestFiles(aside, folder, destination, signal);
      } catch (error) {
        await putBack(folder);
        throw error;
      }
      return JSON.stringify(Object.keys(await readDiskInfo(aside)));
    },
    async arrive(request) {
      const { guest, resize } = request;
      if (resize) await growRootDisk(domains.folderOf(guest), guest);
      await domains.undefine(guest);
      await startFromFiles(request);
    },
    async comeBack(request) {
      const { guest } = request;
      const folder = domains.folderOf(guest);
      const aside = `${folder}_resize`;
      await domains.undefine(guest);
      if ((await stat(aside).catch(() => undefined)) !== undefined) {
        await rm(folder, { recursive: true, force: true });
        await rename(aside, folder);
      }
      await startFromFiles(request);
    },
    async forget(guest) {
      await rm(`${domains.folderOf(guest)}_resize`, { recursive: true, force: true });
      if (guest.host === settings.host) return;
      await domains.undefine(guest);
      await firewall.remove(guest);
    },
  };
}
