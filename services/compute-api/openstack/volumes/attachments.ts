import { ownText } from '@folsom/http/operation';
import { attribute, attributesOf, many, one, view } from '@folsom/wire/view';
import Type from 'typebox';
import type { Attachment } from '../../domain/attachments.ts';
import type { ComputeOperation } from '../http/api.ts';
import { badRequest, unprocessable } from '../http/faults.ts';
import { bare, operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import { name, scalar } from '../http/shapes.ts';

/** Volumes of a server: os-volume_attachments, a part of os-volumes. An attachment's id is its volume's. */

const policy = 'compute_extension:volumes';
export const attachmentsPath = '/servers/:server_id/os-volume_attachments';

const attachment = view<[Attachment]>('volumeAttachment', {
  id: attribute(({ volumeId }) => volumeId),
  serverId: attribute(({ instanceUuid }) => instanceUuid),
  ...attributesOf<Attachment>('volumeId', 'device'),
});
const shown = one(attachment);
const listed = many(attachment);

const unattached = { VolumeUnattached: 404 } as const;

const body = Type.Object(
  {
    volumeAttachment: Type.Object(
      {
        volumeId: scalar(() => badRequest()),
        device: Type.Optional(Type.Union([name(), Type.Null()], { says: () => badRequest() })),
      },
      { says: () => unprocessable() },
    ),
  },
  { says: () => unprocessable() },
);

export const attachmentOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListVolumeAttachments',
    about: 'Volumes that a server has, or is about to have.',
    method: 'GET',
    path: attachmentsPath,
    policy,
    query: offsetQuery,
    answers: 200,
    view: listed,
    throws: ['InstanceNotFound'],
    run: async ({ domain, context, params, query }) =>
      listed.json(await domain.attachments.list(context, params.server_id, pageByOffset(context, query))),
  }),
  operation({
    name: 'ShowVolumeAttachment',
    about: 'One of them.',
    method: 'GET',
    path: `${attachmentsPath}/:id`,
    policy,
    answers: 200,
    view: shown,
    faults: unattached,
    throws: ['InstanceNotFound', 'VolumeNotFound'],
    run: async ({ domain, context, params }) =>
      shown.json(await domain.attachments.get(context, params.server_id, params.id)),
  }),
  operation({
    name: 'AttachVolume',
    about:
      'Attaches a volume to a server: at the device named, with the prefix that its disks have, else at the first free one.',
    method: 'POST',
    path: attachmentsPath,
    policy,
    body,
    answers: 200,
    view: shown,
    faults: { DevicePathInUse: [409, ownText] },
    throws: [
      'InstanceNotFound',
      'VolumeNotFound',
      'InvalidVolume',
      'InvalidDevicePath',
      'InstanceNotReady',
      'InstanceIsLocked',
      'InstanceInvalidState',
    ],
    run: async ({ domain, context, params, body: { volumeAttachment } }) => {
      const { volumeId, device = null } = volumeAttachment;
      // An empty name is none.
      const wanted = { volumeId, device: device === '' ? null : device };
      return shown.json(await domain.attachments.attach(context, params.server_id, wanted));
    },
  }),
  operation({
    name: 'UpdateVolumeAttachment',
    about: 'Attachments cannot be changed.',
    method: 'PUT',
    path: `${attachmentsPath}/:id`,
    policy: null,
    answers: 400,
    run: () => {
      throw badRequest();
    },
  }),
  operation({
    name: 'DetachVolume',
    about: 'Takes a volume from a server.',
    method: 'DELETE',
    path: `${attachmentsPath}/:id`,
    policy,
    answers: 202,
    faults: unattached,
    throws: [
      'InstanceNotFound',
      'VolumeNotFound',
      'InvalidVolume',
      'InstanceIsLocked',
      'InstanceInvalidState',
    ],
    run: async ({ domain, context, params }) => {
      await domain.attachments.detachFrom(context, params.server_id, params.id);
      return bare();
    },
  }),
];
