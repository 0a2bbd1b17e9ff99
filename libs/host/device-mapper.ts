import { access } from 'node:fs/promises';

/** What the kernel's device-mapper is spoken to through; LVM is nothing without it. */
export const DEVICE_MAPPER = '/dev/mapper/control';

export const hasDeviceMapper = (): Promise<boolean> =>
  access(DEVICE_MAPPER).then(
    () => true,
    () => false,
  );
