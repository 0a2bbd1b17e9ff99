import type { LibvirtConnection } from '../connection.ts';
import { xmlText } from '../disk-xml.ts';

/** CHAP passwords as libvirt keeps them for qemu: in memory only, by the volume's id. */

export async function keepSecret(
  libvirt: LibvirtConnection,
  volumeId: string,
  password: string,
): Promise<string> {
  await libvirt.defineSecret(
    `<secret ephemeral='yes' private='yes'><uuid>${xmlText(volumeId)}</uuid>` +
      `<usage type='iscsi'><target>${xmlText(volumeId)}</target></usage></secret>`,
    password,
  );
  return volumeId;
}

export const dropSecret = (libvirt: LibvirtConnection, volumeId: string): Promise<void> =>
  libvirt.undefineSecret(volumeId);
