import type { RequestContext } from '@folsom/core';
import { ec2Uuids } from '@folsom/nova/ec2-ids';
import { novaFault } from '@folsom/nova/faults';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { BlockDevice } from './block-devices.ts';
import { type BundleManifest, readManifest } from './bundles/manifest.ts';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';

export interface ImageRegistration {
  /** `bucket/path of the manifest`. */
  location: string;
  name: string;
  rootDevice: string | null;
  blockDevices: readonly BlockDevice[];
}

const LOCATION_CHARS_MAX = 1_024;

/**
 * Registers an image from a bundle in the S3 store. The answer is the image without its bytes, which come afterwards.
 *
 * @throws Fault `BundleNotFound`, `InvalidBundle`, `ImageNotFound` for a kernel or ramdisk that is none, `TooManyRegistrations`
 */
export async function registerImage(
  deps: Deps,
  context: RequestContext,
  { location, name, rootDevice, blockDevices }: ImageRegistration,
): Promise<ImageWire> {
  checkPlace(location);
  const manifest = readManifest(await deps.bundles.store.manifest(context, location));
  const image = await deps.images.create(context, {
    name,
    disk_format: manifest.format,
    container_format: manifest.format,
    is_public: false,
    properties: {
      ...(await propertiesOf(deps, manifest)),
      ...(rootDevice === null ? {} : { root_device_name: rootDevice }),
      ...(blockDevices.length === 0 ? {} : { block_device_mapping: blockDevices.map(shown) }),
      image_location: location,
      image_state: 'pending',
    },
  });
  try {
    if (await deps.bundles.registrar.start({ context, image, location, manifest })) return image;
  } catch (error) {
    // It could not be noted: nobody would ever fill it.
    await deps.images.delete(context, image.id);
    throw error;
  }
  await deps.images.delete(context, image.id);
  throw computeFault('TooManyRegistrations');
}

/** What is set of a device: the others are for whoever boots it. */
const shown = (device: BlockDevice): Record<string, unknown> =>
  Object.fromEntries(Object.entries(device).filter(([, value]) => value !== null));

/** A place in the store names a bucket and what is in it, and may not lead out of it. @throws Fault `BundleNotFound` */
function checkPlace(location: string): void {
  const [bucket = '', ...path] = location.split('/');
  const bad = (part: string) => part === '' || part === '.' || part === '..' || part.includes('\0');
  if (location.length > LOCATION_CHARS_MAX || path.length === 0 || [bucket, ...path].some(bad)) {
    throw computeFault('BundleNotFound', { location: location.slice(0, 255) });
  }
}

async function propertiesOf(deps: Deps, manifest: BundleManifest): Promise<Record<string, unknown>> {
  const { kernelId, ramdiskId, architecture, mappings } = manifest;
  return {
    architecture,
    ...(kernelId === null ? {} : { kernel_id: await imageUuid(deps, kernelId) }),
    ...(ramdiskId === null ? {} : { ramdisk_id: await imageUuid(deps, ramdiskId) }),
    ...(mappings.length === 0 ? {} : { mappings }),
  };
}

/** Manifests name kernels by their ids of EC2. */
async function imageUuid(deps: Deps, id: string): Promise<string> {
  const digits = /^[a-z]+-([0-9a-f]{1,8})$/i.exec(id)?.[1];
  const number = digits === undefined ? 0 : Number.parseInt(digits, 16);
  const uuid = (await ec2Uuids(deps.db, 'image', [number])).get(number);
  if (uuid === undefined) throw novaFault('ImageNotFound', { image_id: id });
  return uuid;
}
