/** Condition of a volume or snapshot, as `volumes.status` and `snapshots.status` hold it. */
export const volumeStatus = {
  creating: 'creating',
  downloading: 'downloading',
  available: 'available',
  attaching: 'attaching',
  inUse: 'in-use',
  detaching: 'detaching',
  uploading: 'uploading',
  deleting: 'deleting',
  error: 'error',
  errorDeleting: 'error_deleting',
  errorAttaching: 'error_attaching',
  errorDetaching: 'error_detaching',
} as const;
export type VolumeStatus = (typeof volumeStatus)[keyof typeof volumeStatus];

/** Whether an instance has it, as `volumes.attach_status` holds it. */
export const attachStatus = { attached: 'attached', detached: 'detached' } as const;
export type AttachStatus = (typeof attachStatus)[keyof typeof attachStatus];

export interface VolumeMove {
  /** Conditions in which it may begin; `any` for all. */
  from: readonly VolumeStatus[] | 'any';
  /** Absent: whether it is attached does not matter. */
  attach?: AttachStatus;
  to: VolumeStatus;
}

const { creating, downloading, available, attaching, inUse, detaching, uploading, deleting } = volumeStatus;
const { error, errorDeleting, errorAttaching, errorDetaching } = volumeStatus;
const { attached, detached } = attachStatus;

/** Every change of a volume's condition; each is one UPDATE with the `from` side in its WHERE. */
export const volumeMoves = {
  /** The disk is there, and empty or a snapshot's copy. */
  created: { from: [creating], to: available },
  /** The disk is there; an image goes onto it. */
  download: { from: [creating], to: downloading },
  downloaded: { from: [downloading], to: available },
  createFailed: { from: [creating, downloading], to: error },

  reserve: { from: [available], attach: detached, to: attaching },
  unreserve: { from: [attaching], attach: detached, to: available },
  /** A boot takes a volume without having reserved it. */
  attach: { from: [available, attaching], attach: detached, to: inUse },
  attachFailed: { from: [attaching], attach: detached, to: errorAttaching },
  beginDetaching: { from: [inUse, errorDetaching], attach: attached, to: detaching },
  rollDetaching: { from: [detaching], attach: attached, to: inUse },
  detach: { from: 'any', attach: attached, to: available },
  detachFailed: { from: [detaching], attach: attached, to: errorDetaching },

  upload: { from: [available], to: uploading },
  uploadInUse: { from: [available, inUse], to: uploading },
  uploaded: { from: [uploading], attach: detached, to: available },
  uploadedInUse: { from: [uploading], attach: attached, to: inUse },

  delete: { from: [available, error], attach: detached, to: deleting },
  /** By an administrator; what an instance has is never taken away under it. */
  forceDelete: { from: 'any', attach: detached, to: deleting },
  deleteRefused: { from: [deleting], to: available },
  deleteFailed: { from: [deleting], to: errorDeleting },
} as const satisfies Record<string, VolumeMove>;
export type VolumeMoveName = keyof typeof volumeMoves;

export interface SnapshotMove {
  from: readonly VolumeStatus[];
  to: VolumeStatus;
}

/** The same for snapshots. */
export const snapshotMoves = {
  created: { from: [creating], to: available },
  createFailed: { from: [creating], to: error },
  delete: { from: [available, error], to: deleting },
  deleteRefused: { from: [deleting], to: available },
  deleteFailed: { from: [deleting], to: errorDeleting },
} as const satisfies Record<string, SnapshotMove>;
export type SnapshotMoveName = keyof typeof snapshotMoves;
