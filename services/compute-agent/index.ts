export { type ImageClient, imageClient } from '@folsom/nova/image-transfer';
export { chooseDriver } from './choose-driver.ts';
export { type ComputeServiceOptions, type RunningCompute, startCompute } from './compute.ts';
export type { ComputeDriver, Guest } from './driver.ts';
export { type FakeDriver, type FakeDriverOptions, fakeDriver } from './drivers/fake.ts';
export { type LibvirtDriverOptions, libvirtDriver } from './drivers/libvirt/driver.ts';
export type { StepObserver } from './steps.ts';
