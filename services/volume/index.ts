export { chooseVolumeDriver } from './choose-driver.ts';
export type { VolumeDriver } from './driver.ts';
export { type FakeDriver, fakeDriver } from './drivers/fake.ts';
export { fileDriver } from './drivers/file.ts';
export { auditVolumes } from './usage-audit.ts';
export { type RunningVolume, startVolume, type VolumeServiceOptions } from './volume.ts';
