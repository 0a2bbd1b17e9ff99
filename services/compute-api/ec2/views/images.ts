import { rootDeviceName } from '../../domain/block-devices.ts';
import type { ImageWire } from '../../domain/images.ts';
import type { Call } from '../http/action.ts';
import type { View, ViewElements } from '../http/answer.ts';
import { idsOf } from '../ids.ts';
import { imagePrefix, imageState, listProperty, textProperty } from '../images.ts';

export const DEFAULT_ROOT_DEVICE = '/dev/sda1';
const TYPES = { aki: 'kernel', ari: 'ramdisk', ami: 'machine' } as const;
const SWAP_OR_EPHEMERAL = /^(swap|ephemeral(\d|[1-9]\d+))$/;

type Ids = Awaited<ReturnType<typeof imageIds>>;

/** Ids of images with those of their kernels, ramdisks, volumes and snapshots: a few statements for all of them. */
export async function imageIds(call: Call, images: readonly ImageWire[]) {
  const dependent = images.flatMap(image => [
    image.id,
    textProperty(image, 'kernel_id'),
    textProperty(image, 'ramdisk_id'),
  ]);
  const devices = images.flatMap(image => listProperty(image, 'block_device_mapping'));
  const named = (key: string) => devices.map(device => device[key]).filter(id => typeof id === 'string');
  return {
    image: await idsOf(call, 'image', dependent),
    volume: await idsOf(call, 'volume', named('volume_id')),
    snapshot: await idsOf(call, 'snapshot', named('snapshot_id')),
  };
}

export function imageView(image: ImageWire, ids: Ids): View {
  const location = textProperty(image, 'image_location');
  const kernel = ids.image('aki', textProperty(image, 'kernel_id'));
  const ramdisk = ids.image('ari', textProperty(image, 'ramdisk_id'));
  const prefix = imagePrefix(image);
  const root = rootDeviceName(image.properties) ?? DEFAULT_ROOT_DEVICE;
  return {
    description: null,
    imageOwnerId: image.owner,
    isPublic: image.is_public,
    imageId: ids.image(prefix, image.id),
    imageState: imageState(image),
    architecture: textProperty(image, 'architecture'),
    imageLocation: location ?? `None (${image.name ?? 'None'})`,
    ...(kernel === null ? {} : { kernelId: kernel }),
    ...(ramdisk === null ? {} : { ramdiskId: ramdisk }),
    rootDeviceType: rootDeviceType(image, root),
    rootDeviceName: root,
    imageType: TYPES[prefix],
    name: image.name || location,
    ...mappingsView(image, ids),
  };
}

const withoutDev = (name: unknown): string => String(name ?? '').replace(/^\/dev\//, '');

function rootDeviceType(image: ImageWire, root: string): string {
  const ebs = listProperty(image, 'block_device_mapping').some(
    device =>
      withoutDev(device.device_name) === withoutDev(root) &&
      ('snapshot_id' in device || 'volume_id' in device) &&
      !device.no_device,
  );
  return ebs ? 'ebs' : 'instance-store';
}

/** The image's disks, those of `block_device_mapping` in the place of `mappings` for the same device. */
export function mappingsView(image: ImageWire, ids: Ids): ViewElements {
  const views = new Map<string, View>();
  for (const { virtual, device } of listProperty(image, 'mappings')) {
    if (typeof virtual !== 'string' || typeof device !== 'string' || !SWAP_OR_EPHEMERAL.test(virtual))
      continue;
    const deviceName = device.startsWith('/') ? device : `/dev/${device}`;
    views.set(deviceName, { virtualName: virtual, deviceName });
  }
  for (const device of listProperty(image, 'block_device_mapping')) {
    const name = String(device.device_name ?? '');
    if (device.no_device) views.delete(name);
    else views.set(name, deviceView(device, ids));
  }
  return views.size === 0 ? {} : { blockDeviceMapping: [...views.values()] };
}

const plain = (value: unknown): View =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;

function deviceView(device: Record<string, unknown>, ids: Ids): View {
  const text = (key: string) => (typeof device[key] === 'string' ? (device[key] as string) : null);
  const ebs = 'snapshot_id' in device || 'volume_id' in device;
  return {
    deviceName: text('device_name'),
    ...('virtual_name' in device ? { virtualName: text('virtual_name') } : {}),
    ...(ebs
      ? {
          ebs: {
            // A volume stands under the name of a snapshot: EC2 has no other for it.
            snapshotId: ids.volume('vol', text('volume_id')) ?? ids.snapshot('snap', text('snapshot_id')),
            ...('volume_size' in device ? { volumeSize: plain(device.volume_size) } : {}),
            ...('delete_on_termination' in device
              ? { deleteOnTermination: plain(device.delete_on_termination) }
              : {}),
          },
        }
      : {}),
  };
}

/** `2012-09-27T10:00:00.000Z` from the time of an image. */
const imageTime = (text: string | null): string | null => (text === null ? null : `${text.slice(0, 23)}Z`);

/** An XML name, as Folsom makes it of a name with underscores. */
const xmlName = (name: string): string =>
  name.replace(/_+(.)?/g, (_whole, next: string | undefined) => next?.toUpperCase() ?? '');
const IS_XML_NAME = /^[A-Za-z][\w.-]*$/;

/** An image after a change, as Folsom shows it: everything that glance says of it. */
export async function changedImageView(call: Call, image: ImageWire): Promise<ViewElements> {
  const numbers = await call.domain.ec2Ids.numbers(call.context, 'image', [image.id]);
  const properties = Object.entries(image.properties)
    .map(([name, value]) => [xmlName(name), plain(value)] as const)
    .filter(([name]) => IS_XML_NAME.test(name));
  return {
    status: image.status,
    deleted: image.deleted,
    containerFormat: image.container_format,
    minRam: image.min_ram,
    updatedAt: imageTime(image.updated_at),
    minDisk: image.min_disk,
    owner: image.owner,
    isPublic: image.is_public,
    deletedAt: imageTime(image.deleted_at),
    id: numbers.get(image.id),
    size: image.size,
    name: image.name,
    checksum: image.checksum,
    createdAt: imageTime(image.created_at),
    diskFormat: image.disk_format,
    properties: Object.fromEntries(properties),
  };
}
