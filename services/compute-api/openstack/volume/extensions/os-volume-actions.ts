import { ownText } from '@folsom/http/operation';
import { attribute, one, view } from '@folsom/wire/view';
import type { Domain } from '../../../domain/index.ts';
import { boolFromString } from '../../../domain/values.ts';
import type { Extension } from '../../http/api.ts';
import { badRequest } from '../../http/faults.ts';
import { operation } from '../../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../../http/shapes.ts';
import { isObject } from '../../http/values.ts';
import { volumeTypeOf } from '../volumes.ts';

type Upload = Awaited<ReturnType<Domain['volumes']['upload']>>;
const uploading = one(
  view<[Upload]>('os-volume_upload_image', {
    id: attribute(({ volume }) => volume.id),
    updated_at: attribute(({ updatedAt }) => updatedAt),
    status: attribute(() => 'uploading'),
    display_description: attribute(({ volume }) => volume.display_description),
    size: attribute(({ volume }) => volume.size),
    volume_type: attribute(({ volume }) => volumeTypeOf(volume)),
    image_id: attribute(({ image }) => image.id),
    container_format: attribute(({ image }) => image.container_format),
    disk_format: attribute(({ image }) => image.disk_format),
    image_name: attribute(({ image }) => image.name),
  }),
);

const upload = readBy(body => {
  if (!isObject(body)) throw badRequest('Invalid request body');
  const text = (value: unknown, otherwise: string): string => {
    if (value === undefined || value === null || value === '') return otherwise;
    if (typeof value !== 'string' || value.length > NAME_CHARS_MAX) throw badRequest('Invalid request body');
    return value;
  };
  const imageName = text(body.image_name, '');
  if (imageName === '') throw badRequest('No image_name was specified in request.');
  return {
    imageName,
    containerFormat: text(body.container_format, 'bare'),
    diskFormat: text(body.disk_format, 'raw'),
    force: boolFromString(body.force),
  };
}, '`image_name`, `container_format`, `disk_format`, and `force` for a volume in use.');

export const extension: Extension = {
  alias: 'os-volume-actions',
  name: 'VolumeActions',
  namespace: 'http://docs.openstack.org/volume/ext/volume-actions/api/v1.1',
  updated: '2012-05-31T00:00:00+00:00',
  description: 'Enable volume actions\n    ',
  operations: [
    operation({
      name: 'UploadVolume',
      about: 'Makes an image of a volume.',
      method: 'POST',
      path: '/volumes/:id/action',
      key: 'os-volume_upload_image',
      policy: 'volume_extension:volume_actions:upload_image',
      body: upload,
      answers: 202,
      view: uploading,
      faults: { VolumeNotFound: [404, ownText], InvalidVolume: [400, ownText], Invalid: [400, ownText] },
      run: async ({ domain, context, params, body }) =>
        uploading.json(await domain.volumes.upload(context, params.id, body)),
    }),
  ],
};
