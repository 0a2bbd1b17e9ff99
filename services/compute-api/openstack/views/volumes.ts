import { metadataElement, type XmlTemplate } from '@folsom/wire/nova-xml';
import { wireTime } from '../../domain/values.ts';
import type { VolumeSnapshotRow } from '../../domain/volume-snapshots.ts';
import type { Volume } from '../../domain/volumes.ts';
import type { JsonObject } from '../http/api.ts';

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

/** The one attachment of a volume; undefined where it has none. */
export const attachmentView = (words: VolumeWords, volume: Volume): JsonObject | undefined =>
  volume.attach_status !== 'attached'
    ? undefined
    : {
        id: volume.id,
        [words.volume]: volume.id,
        [words.server]: volume.instance_uuid,
        ...(volume.mountpoint ? { device: volume.mountpoint } : {}),
      };

/** As the answer to its creation shows it: its metadata and the name of its type are in the next answer, as in Folsom's. */
export const justMade = (volume: Volume): Volume => ({ ...volume, metadata: {}, volume_type: null });

export const volumeView = (
  words: VolumeWords,
  volume: Volume,
  shown: { attachments: unknown[]; type: unknown },
): JsonObject => ({
  id: volume.id,
  status: volume.status,
  size: volume.size,
  [words.zone]: volume.availability_zone,
  [words.created]: wireTime(volume.created_at),
  attachments: shown.attachments,
  [words.name]: volume.display_name,
  [words.description]: volume.display_description,
  [words.type]: shown.type,
  [words.snapshot]: volume.snapshot_id,
  metadata: volume.metadata,
});

export const snapshotView = (words: VolumeWords, snapshot: VolumeSnapshotRow): JsonObject => ({
  id: snapshot.id,
  [words.volume]: snapshot.volume_id,
  status: snapshot.status,
  size: snapshot.volume_size,
  [words.created]: wireTime(snapshot.created_at),
  [words.name]: snapshot.display_name,
  [words.description]: snapshot.display_description,
});

const named = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map(name => [name, name]));
/** XML shows times as Python prints them. */
const printed = (words: VolumeWords) => ({
  [words.created]: (view: JsonObject) => String(view[words.created]).replace('T', ' ').replace(/\.0+$/, ''),
});

const attachmentXml = (words: VolumeWords): XmlTemplate => ({
  tag: 'attachment',
  attributes: named(['id', words.server, words.volume, 'device']),
});

export const volumeXml = (words: VolumeWords): XmlTemplate => ({
  tag: 'volume',
  attributes: {
    ...named(['id', 'status', 'size', words.zone, words.name, words.description, words.type, words.snapshot]),
    ...printed(words),
  },
  children: [
    { tag: 'attachments', children: [{ ...attachmentXml(words), at: 'attachments' }] },
    metadataElement,
  ],
});

export const snapshotXml = (words: VolumeWords): XmlTemplate => ({
  tag: 'snapshot',
  attributes: {
    ...named(['id', 'status', 'size', words.name, words.description, words.volume]),
    ...printed(words),
  },
});

export const one = (element: XmlTemplate) => ({ xml: { ...element, at: element.tag as string } });
export const many = (element: XmlTemplate) => ({
  xml: { tag: `${element.tag as string}s`, children: [{ ...element, at: `${element.tag as string}s` }] },
});

/** A key is an element's name here. */
const elementName = (key: string) => (/^[A-Za-z_][\w.-]*$/.test(key) ? key : 'extra_spec');

export const specsXml: XmlTemplate = {
  tag: 'extra_specs',
  at: 'extra_specs',
  always: true,
  children: [
    {
      tag: ([key]: [string]) => elementName(key),
      at: (specs: JsonObject) => Object.entries(specs),
      text: '1',
    },
  ],
};
export const specXml: XmlTemplate = {
  tag: ({ 0: key }: { 0: string }) => elementName(key),
  at: (view: JsonObject) => Object.assign({}, Object.entries(view)[0]),
  text: '1',
};
export const typeXml: XmlTemplate = {
  tag: 'volume_type',
  attributes: { id: 'id', name: 'name' },
  children: [specsXml],
};
