import { rootDeviceName } from '../../domain/block-devices.ts';
import type { ImageWire } from '../../domain/images.ts';
import { blockDeviceMapping, devicesOf } from '../block-devices.ts';
import { action, type Call } from '../http/action.ts';
import type { ViewElements } from '../http/answer.ts';
import { apiError } from '../http/faults.ts';
import { id, listOf, required, text, wholeNumber, yesOrNo } from '../http/shapes.ts';
import { imageNamed, imagePrefix, imagesNamed, textProperty } from '../images.ts';
import { changedImageView, DEFAULT_ROOT_DEVICE, imageIds, imageView, mappingsView } from '../views/images.ts';

const describeImages = action({
  name: 'DescribeImages',
  about: 'Images that the caller can see, or those named.',
  parameters: { ImageId: listOf() },
  run: async (call, { ImageId }) => {
    const images: ImageWire[] = [];
    // Older images first: so the numbers are given out.
    if (ImageId === undefined)
      images.push(...(await call.domain.images.list(call.context, { filters: { sort_dir: 'asc' } })));
    else images.push(...(await imagesNamed(call, ImageId)));
    const ids = await imageIds(call, images);
    return { imagesSet: images.map(image => imageView(image, ids)) };
  },
});

const registerImage = action({
  name: 'RegisterImage',
  about: 'An image from a bundle in the S3 store: `ImageLocation` is the bucket and the manifest in it.',
  parameters: {
    ImageLocation: text(1_024),
    Name: text(),
    RootDeviceName: text(),
    BlockDeviceMapping: blockDeviceMapping,
  },
  run: async (call, given) => {
    const location = given.ImageLocation ?? given.Name;
    if (location === undefined) throw apiError('imageLocation is required');
    const image = await call.domain.images.register(call.context, {
      location,
      name: given.Name ?? location,
      rootDevice: given.RootDeviceName ?? null,
      blockDevices: await devicesOf(call, given.BlockDeviceMapping ?? []),
    });
    return { imageId: (await imageIds(call, [image])).image(imagePrefix(image), image.id) };
  },
});

const deregisterImage = action({
  name: 'DeregisterImage',
  about: 'Deletes an image.',
  parameters: { ImageId: required(id()) },
  run: async (call, { ImageId }) => {
    const image = await imageNamed(call, ImageId);
    await call.domain.images.delete(call.context, image.id);
    return true;
  },
});

const unsupported = (attribute: string) => apiError(`attribute not supported: ${attribute}`);

/** What can be asked about an image. */
const ATTRIBUTES: Record<string, (call: Call, image: ImageWire) => Promise<ViewElements>> = {
  blockDeviceMapping: async (call, image) => mappingsView(image, await imageIds(call, [image])),
  launchPermission: async (_call, image) => ({ launchPermission: image.is_public ? [{ group: 'all' }] : [] }),
  rootDeviceName: async (_call, image) => ({
    rootDeviceName: rootDeviceName(image.properties) ?? DEFAULT_ROOT_DEVICE,
  }),
  kernel: async (call, image) => dependent(call, image, 'kernel_id', 'aki'),
  ramdisk: async (call, image) => dependent(call, image, 'ramdisk_id', 'ari'),
};

async function dependent(
  call: Call,
  image: ImageWire,
  property: 'kernel_id' | 'ramdisk_id',
  prefix: 'aki' | 'ari',
): Promise<ViewElements> {
  const value = (await imageIds(call, [image])).image(prefix, textProperty(image, property));
  return value === null ? {} : { [property.slice(0, -'_id'.length)]: { value } };
}

const describeImageAttribute = action({
  name: 'DescribeImageAttribute',
  about: 'One attribute of an image.',
  parameters: { ImageId: required(id()), Attribute: required(text()) },
  run: async (call, { ImageId, Attribute }) => {
    const show = Object.hasOwn(ATTRIBUTES, Attribute) ? ATTRIBUTES[Attribute] : undefined;
    if (!show) throw unsupported(Attribute);
    const image = await imageNamed(call, ImageId);
    return { ...(await show(call, image)), imageId: ImageId };
  },
});

const modifyImageAttribute = action({
  name: 'ModifyImageAttribute',
  about: 'Gives an image to everybody, or takes it back.',
  parameters: {
    ImageId: required(id()),
    Attribute: required(text()),
    OperationType: text(),
    UserGroup: listOf(),
  },
  faults: {},
  run: async (call, { ImageId, Attribute, OperationType, UserGroup }) => {
    if (Attribute !== 'launchPermission') throw unsupported(Attribute);
    if (UserGroup === undefined) throw apiError('user or group not specified');
    if (UserGroup.length !== 1 || UserGroup[0] !== 'all') throw apiError('only group "all" is supported');
    if (OperationType !== 'add' && OperationType !== 'remove') {
      throw apiError('operation_type must be add or remove');
    }
    const image = await imageNamed(call, ImageId);
    try {
      const changes = { is_public: OperationType === 'add' };
      return await changedImageView(call, await call.domain.images.change(call.context, image.id, changes));
    } catch (error) {
      throw (error as Error).name === 'ImageNotAuthorized'
        ? apiError(`Not allowed to modify attributes for image ${ImageId}`)
        : error;
    }
  },
});

const updateImage = action({
  name: 'UpdateImage',
  about: "Changes an image's name, whether it is public, and what it needs.",
  parameters: {
    ImageId: required(id()),
    Name: text(),
    IsPublic: yesOrNo(),
    MinDisk: wholeNumber(),
    MinRam: wholeNumber(),
  },
  run: async (call, { ImageId, Name, IsPublic, MinDisk, MinRam }) => {
    const image = await imageNamed(call, ImageId);
    const changes = {
      ...(Name === undefined ? {} : { name: Name }),
      ...(IsPublic === undefined ? {} : { is_public: IsPublic }),
      ...(MinDisk === undefined ? {} : { min_disk: MinDisk }),
      ...(MinRam === undefined ? {} : { min_ram: MinRam }),
    };
    return changedImageView(call, await call.domain.images.change(call.context, image.id, changes));
  },
});

export const imageActions = [
  describeImages,
  registerImage,
  deregisterImage,
  describeImageAttribute,
  modifyImageAttribute,
  updateImage,
];
