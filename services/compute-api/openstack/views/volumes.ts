import {
  attribute,
  attributesOf,
  children,
  many,
  metadata,
  one,
  type Parts,
  shownAs,
  view,
} from '@folsom/wire/view';
import { wireTime } from '../../domain/values.ts';
import type { VolumeSnapshotRow } from '../../domain/volume-snapshots.ts';
import type { VolumeType } from '../../domain/volume-types.ts';
import type { Volume } from '../../domain/volumes.ts';
import { specsXml } from './extra-specs.ts';

/** The volume API and the compute API show the same under other names. */
export interface VolumeWords {
  zone: string;
  created: string;
  name: string;
  description: string;
  type: string;
  snapshot: string;
  volume: string;
  server: string;
}

export const SNAKE: VolumeWords = {
  zone: 'availability_zone',
  created: 'created_at',
  name: 'display_name',
  description: 'display_description',
  type: 'volume_type',
  snapshot: 'snapshot_id',
  volume: 'volume_id',
  server: 'server_id',
};
export const CAMEL: VolumeWords = {
  zone: 'availabilityZone',
  created: 'createdAt',
  name: 'displayName',
  description: 'displayDescription',
  type: 'volumeType',
  snapshot: 'snapshotId',
  volume: 'volumeId',
  server: 'serverId',
};

/** As the answer to its creation shows it: its metadata and the name of its type are in the next answer, as in Folsom's. */
export const justMade = (volume: Volume): Volume => ({ ...volume, metadata: {}, volume_type: null });

/** XML shows times as Python prints them. */
const printed = { print: (time: unknown) => String(time).replace('T', ' ').replace(/\.0+$/, '') };

/** The one attachment that a volume has; what is not attached has an empty one in the compute API, and none in the volume API. */
const attachmentOf = (words: VolumeWords) => {
  const ifAttached = (of: (volume: Volume) => unknown) => (volume: Volume) =>
    volume.attach_status === 'attached' ? of(volume) : undefined;
  return view<[Volume]>('attachment', {
    id: attribute(ifAttached(volume => volume.id)),
    [words.server]: attribute(ifAttached(volume => volume.instance_uuid)),
    [words.volume]: attribute(ifAttached(volume => volume.id)),
    device: attribute(ifAttached(volume => volume.mountpoint || undefined)),
  });
};

/** Volumes in the words of an API, which says what stands for their type and where nothing is attached. */
export function volumeViews(
  words: VolumeWords,
  { typeOf, emptyAttachment }: { typeOf(volume: Volume): unknown; emptyAttachment: boolean },
) {
  const volume = view<[Volume]>('volume', {
    ...attributesOf<Volume>('id', 'status', 'size'),
    [words.zone]: attribute(row => row.availability_zone),
    attachments: children(attachmentOf(words), row =>
      emptyAttachment || row.attach_status === 'attached' ? [row] : [],
    ),
    [words.name]: attribute(row => row.display_name),
    [words.description]: attribute(row => row.display_description),
    [words.type]: attribute(typeOf),
    [words.snapshot]: attribute(row => row.snapshot_id),
    [words.created]: attribute(row => wireTime(row.created_at), printed),
    metadata: metadata(row => row.metadata),
  });
  return { volume, one: one(volume), many: many(volume) };
}

export function snapshotViews(words: VolumeWords) {
  const snapshot = view<[VolumeSnapshotRow]>('snapshot', {
    id: attribute(row => row.id),
    status: attribute(row => row.status),
    size: attribute(row => row.volume_size),
    [words.name]: attribute(row => row.display_name),
    [words.description]: attribute(row => row.display_description),
    [words.volume]: attribute(row => row.volume_id),
    [words.created]: attribute(row => wireTime(row.created_at), printed),
  });
  return { one: one(snapshot), many: many(snapshot) };
}

/** Types with what an API shows of them besides, or otherwise. */
export function typeViews(more: Parts<[VolumeType]> = {}) {
  const type = view<[VolumeType]>('volume_type', {
    ...attributesOf<VolumeType>('id', 'name'),
    extra_specs: shownAs({ children: [specsXml] }, row => row.extra_specs),
    ...more,
  });
  return { one: one(type), many: many(type) };
}
