import { answer } from '@folsom/http/operation';
import Type from 'typebox';
import type { ServerChanges } from '../../domain/rebuild.ts';
import type { ComputeOperation, Registry } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { selfHref } from '../http/links.ts';
import { bare, operation, overLimit, refusedStates } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';
import type { ServerViews } from '../views/servers.ts';
import { rebuildImage, rebuildShape, resizeShape } from './server-body.ts';
import { rebuildFaults, resizeFaults, settleFaults } from './server-faults.ts';
import { actionXml } from './server-xml.ts';

const path = '/servers/:id/action';

const rebootType = readBy((body): 'HARD' | 'SOFT' => {
  if (body === null) throw badRequest();
  if (!isObject(body) || !('type' in body)) throw badRequest("Missing argument 'type' for reboot");
  const type = typeof body.type === 'string' ? body.type.toUpperCase() : '';
  if (type !== 'HARD' && type !== 'SOFT') {
    throw badRequest("Argument 'type' for reboot is not HARD or SOFT");
  }
  return type;
});

const newPassword = readBy((body): string => {
  if (body === null) throw badRequest();
  if (!isObject(body) || !('adminPass' in body)) throw badRequest('No adminPass was specified');
  const password = body.adminPass;
  if (typeof password !== 'string' || password.length > NAME_CHARS_MAX) throw badRequest('Invalid adminPass');
  return password;
});

const NO_NAME = 'createImage entity requires name attribute';
const newImage = Type.Object(
  {
    name: Type.String({ minLength: 1, says: NO_NAME }),
    metadata: Type.Optional(
      readBy((value): Record<string, unknown> => {
        if (value == null) return {};
        if (!isObject(value)) throw badRequest('Invalid image metadata');
        return value;
      }),
    ),
  },
  { says: NO_NAME },
);

/** The actions every server has; extensions bring more. */
export const serverActions = (registry: Registry, views: ServerViews): ComputeOperation[] => [
  operation({
    name: 'RebootServer',
    about: 'SOFT asks the guest, HARD does not.',
    method: 'POST',
    path,
    key: 'reboot',
    policy: null,
    body: rebootType,
    readXml: actionXml.reboot,
    answers: 202,
    faults: refusedStates('reboot'),
    throws: ['InstanceNotFound'],
    run: async ({ domain, context, params, body }) => {
      await domain.servers.reboot(context, params.id, body);
      return bare();
    },
  }),
  operation({
    name: 'ChangePassword',
    about: "Sets the password of a guest's administrator.",
    method: 'POST',
    path,
    key: 'changePassword',
    policy: null,
    body: newPassword,
    readXml: actionXml.changePassword,
    answers: 202,
    throws: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState'],
    run: async ({ domain, context, params, body }) => {
      await domain.servers.setPassword(context, params.id, body);
      return bare();
    },
  }),
  rebuildOperation(registry, views),
  resizeOperation(registry),
  ...(['confirmResize', 'revertResize'] as const).map(key =>
    operation({
      name: key === 'confirmResize' ? 'ConfirmResize' : 'RevertResize',
      about: key === 'confirmResize' ? 'Ends a resize: the old size is given up.' : 'Takes a resize back.',
      method: 'POST',
      path,
      key,
      policy: null,
      answers: key === 'confirmResize' ? 204 : 202,
      faults: { ...settleFaults, ...refusedStates(key) },
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params }) => {
        await domain.servers[key](context, params.id);
        return bare();
      },
    }),
  ),
  operation({
    name: 'CreateImageOfServer',
    about: 'Registers an image and has the host of the server fill it.',
    method: 'POST',
    path,
    key: 'createImage',
    policy: null,
    body: newImage,
    readXml: actionXml.createImage,
    answers: 202,
    faults: { ...refusedStates('createImage'), ImageMetadataLimitExceeded: overLimit },
    throws: ['InstanceNotFound', 'SnapshotsNotPermitted', 'InvalidImageMetadata', 'InvalidVolume'],
    run: async ({ domain, context, params, body }) => {
      const image = await domain.servers.snapshot(context, params.id, body);
      return bare({ location: selfHref(context, 'images', image.id) });
    },
  }),
];

function rebuildOperation({ attributes }: Registry, views: ServerViews): ComputeOperation {
  return operation({
    name: 'RebuildServer',
    about: 'Puts a server back to the state of an image, keeping its identity, addresses and size.',
    method: 'POST',
    path,
    key: 'rebuild',
    policy: null,
    body: Type.Object(
      Object.assign({}, rebuildShape, ...attributes.map(item => item.changeShape)) as typeof rebuildShape,
      { says: 'Could not parse imageRef from request.' },
    ),
    readXml: actionXml.rebuild,
    beforeBody: ({ domain, context, params, body }) => {
      rebuildImage(isObject(body) ? body.imageRef : undefined);
      return domain.servers.show(context, params.id);
    },
    answers: 202,
    view: views.one,
    faults: { ...rebuildFaults, ...refusedStates('rebuild') },
    throws: ['InstanceNotFound', 'InstanceUserDataTooLarge', 'FlavorNotFound'],
    run: async ({ domain, context, params, body }) => {
      const changes: ServerChanges = {
        ...(body.name === undefined ? {} : { display_name: body.name }),
        ...(body.accessIPv4 === undefined ? {} : { access_ip_v4: body.accessIPv4 }),
        ...(body.accessIPv6 === undefined ? {} : { access_ip_v6: body.accessIPv6 }),
      };
      for (const attribute of attributes) Object.assign(changes, attribute.readChanges(body as never));
      const { server, password } = await domain.servers.rebuild(context, params.id, {
        imageId: body.imageRef,
        files: body.personality ?? [],
        metadata: body.metadata,
        changes,
        ...(body.adminPass === undefined ? {} : { password: body.adminPass }),
      });
      const view = views.full.json(server, context);
      if (context.api.config.enable_instance_password) view.adminPass = password;
      const headers = { location: selfHref(context, 'servers', server.uuid) };
      return answer({ document: { server: view }, headers });
    },
  });
}

function resizeOperation({ attributes }: Registry): ComputeOperation {
  return operation({
    name: 'ResizeServer',
    about: 'Gives a server another flavor, which is to be confirmed or reverted.',
    method: 'POST',
    path,
    key: 'resize',
    policy: null,
    body: Type.Object(
      Object.assign({}, resizeShape, ...attributes.map(item => item.changeShape)) as typeof resizeShape,
      { says: "Resize requests require 'flavorRef' attribute." },
    ),
    readXml: actionXml.resize,
    answers: 202,
    faults: { ...resizeFaults, ...refusedStates('resize') },
    throws: ['InstanceNotFound'],
    run: async ({ domain, context, params, body }) => {
      const changes: ServerChanges = {};
      for (const attribute of attributes) Object.assign(changes, attribute.readChanges(body as never));
      await domain.servers.resize(context, params.id, body.flavorRef, changes);
      return bare();
    },
  });
}
