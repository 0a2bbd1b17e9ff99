import type { Database } from '@folsom/db';
import { isoImage } from '@folsom/host/iso9660';
import { instanceMetadata } from '@folsom/nova/instance-metadata';
import { fixedIpsOf } from '@folsom/nova/network-info';
import type { SpawnRequest } from '../../driver.ts';
import { computeFault } from '../../faults.ts';
import type { ComputeSettings } from '../../settings.ts';

const WANTED = /^(true|1|yes|on|always)$/i;

/**
 * The documents of the metadata service on a disk; null for guests that do not ask for it.
 *
 * @throws Fault `ConfigDriveUnknownFormat`
 */
export async function configDrive(
  db: Database,
  settings: ComputeSettings,
  { guest, injectedFiles, network, adminPassword }: SpawnRequest,
  now: number,
): Promise<Buffer | null> {
  if (!WANTED.test(guest.config_drive ?? '') && !WANTED.test(settings.force_config_drive ?? '')) return null;
  if (settings.config_drive_format !== 'iso9660') {
    throw computeFault('ConfigDriveUnknownFormat', { format: settings.config_drive_format });
  }
  const address = fixedIpsOf(network)[0]?.address ?? '';
  const metadata = await instanceMetadata(db, settings, guest.uuid, address, now);
  const files = new Map<string, Uint8Array>();
  for (const [path, text] of metadata.files(
    injectedFiles,
    settings.libvirt_inject_password ? adminPassword : null,
  )) {
    const raw = path.endsWith('user-data') || path.endsWith('user_data');
    files.set(path, Buffer.from(text, raw ? 'latin1' : 'utf8'));
  }
  return isoImage('config-2', files, now);
}
