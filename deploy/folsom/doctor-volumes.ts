import { readFile, stat } from 'node:fs/promises';
import { DEVICE_MAPPER } from '@folsom/host/device-mapper';

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

interface VolumeFinding {
  severity: 'ok' | 'problem';
  what: string;
  fix?: string;
}

const LVM = ['/usr/sbin/lvm', '/sbin/lvm'];

/** Whether the volumes that a nova.conf asks for can be had on this machine. */
export async function volumesFindings(
  configFiles: readonly string[],
  has: (path: string) => Promise<boolean> = exists,
): Promise<VolumeFinding[]> {
  const findings: VolumeFinding[] = [];
  for (const file of configFiles) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const driver = /^\s*volume_driver\s*[=:]\s*(\S+)/m.exec(text)?.[1];
    if (driver === undefined || !/(^|\.)ISCSIDriver$/.test(driver)) continue;
    if (!(await has(DEVICE_MAPPER))) {
      findings.push({
        severity: 'problem',
        what: `${file} asks for volumes on LVM (${driver}), and this kernel has no device-mapper`,
        fix: 'modprobe dm_mod, or volume_driver = file',
      });
    } else if (!(await Promise.all(LVM.map(has))).includes(true)) {
      findings.push({
        severity: 'problem',
        what: `${file} asks for volumes on LVM (${driver}), and LVM is missing`,
        fix: 'apt-get install lvm2, or volume_driver = file',
      });
    } else findings.push({ severity: 'ok', what: 'volumes on LVM can be had here' });
  }
  return findings;
}
