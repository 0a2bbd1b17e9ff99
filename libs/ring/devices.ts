/** One device of a ring, with swift's own field names, as ring and builder files hold them. */
export interface RingDevice {
  id: number;
  zone: number;
  ip: string;
  port: number;
  /** The directory under the server's `devices` root. */
  device: string;
  weight: number;
  /** Free text. */
  meta: string;
}

/** A device as the builder sees it: how many replica-partitions it has, and how many more it should have. */
export interface BuilderDevice extends RingDevice {
  parts: number;
  parts_wanted: number;
}

/** Devices by id; null where one was removed. */
export type Devices<D extends RingDevice = RingDevice> = (D | null)[];

/** Address and port as one tier of a ring: what fails together when a host does. */
export const hostOf = (device: RingDevice): string => `${device.ip}:${device.port}`;
