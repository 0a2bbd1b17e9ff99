/** Every limit on an image that comes as a bundle. */
export const BUNDLE_LIMITS = {
  manifestBytesMax: 1024 * 1024,
  /** Pieces of ten megabytes, as bundlers make them: 100 GB. */
  partsMax: 10_000,
  /** Bytes of the unpacked image; what is packed may be nothing but zeros. */
  imageBytesMax: 128 * 1024 ** 3,
  /** Entries of the archive besides the image. */
  entriesMax: 1_000,
  /** Milliseconds for the manifest. */
  manifestMs: 30_000,
  /** Milliseconds for a whole registration. */
  registrationMs: 12 * 3_600_000,
  /** Milliseconds between tries to take up a registration after a restart, and how many there are. */
  resumptionMs: 5_000,
  resumptionsMax: 60,
  /** Registrations at a time. */
  atOnce: 4,
  /** Registrations that wait. */
  waitingMax: 100,
} as const;
