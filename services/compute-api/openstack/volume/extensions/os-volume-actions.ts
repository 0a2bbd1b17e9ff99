import { ownText } from '@folsom/http/operation';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { boolFromString } from '../../../domain/values.ts';
import type { Extension } from '../../http/api.ts';
import { badRequest } from '../../http/faults.ts';
import { operation } from '../../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../../http/shapes.ts';
import { isObject } from '../../http/values.ts';
import { volumeOf } from '../volumes.ts';

const SHOWN = [
  'id',
  'updated_at',
  'status',
  'display_description',
  'size',
  'volume_type',
  'image_id',
  'container_format',
  'disk_format',
  'image_name',
];
const xml: XmlTemplate = {
  tag: 'os-volume_upload_image',
  at: 'os-volume_upload_image',
  attributes: Object.fromEntries(SHOWN.map(name => [name, name])),
};

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
      view: { xml },
      faults: { VolumeNotFound: [404, ownText], InvalidVolume: [400, ownText], Invalid: [400, ownText] },
      run: async ({ domain, context, params, body }) => {
        const { volume, image, updatedAt } = await domain.volumes.upload(context, params.id, body);
        const { id, size, display_description, volume_type } = volumeOf(volume);
        return {
          'os-volume_upload_image': {
            id,
            updated_at: updatedAt,
            status: 'uploading',
            display_description,
            size,
            volume_type,
            image_id: image.id,
            container_format: image.container_format,
            disk_format: image.disk_format,
            image_name: image.name,
          },
        };
      },
    }),
  ],
};
