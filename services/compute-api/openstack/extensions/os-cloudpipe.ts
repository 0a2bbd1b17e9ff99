import { isoSeconds } from '@folsom/core';
import { bareDocument, elementsOf, many, textElement, view } from '@folsom/wire/view';
import type { Cloudpipe } from '../../domain/vpn/cloudpipes.ts';
import { bootFaults, bootThrows } from '../core/server-faults.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:cloudpipe';

const cloudpipes = many(
  view<[Cloudpipe]>('cloudpipe', {
    ...elementsOf<Cloudpipe>('project_id', 'instance_id', 'internal_ip', 'public_ip', 'public_port', 'state'),
    created_at: textElement(({ created_at: at }) => (at === null ? null : isoSeconds(at))),
  }),
);
const made = bareDocument(
  view<[Pick<Cloudpipe, 'instance_id'>]>(
    'cloudpipe',
    elementsOf<Pick<Cloudpipe, 'instance_id'>>('instance_id'),
  ),
);

/** The project whose VPN is wanted; null for the caller's. A project's id is in the names of its key and group. */
const wanted = readBy((body): string | null => {
  if (!isObject(body)) throw badRequest();
  const { cloudpipe = {} } = body;
  if (!isObject(cloudpipe)) throw badRequest();
  const { project_id: project = null } = cloudpipe;
  if (project === null) return null;
  if (typeof project !== 'string' || !/^[\w-]+$/.test(project) || project.length > NAME_CHARS_MAX / 2) {
    throw badRequest();
  }
  return project;
}, '`cloudpipe`: `project_id`, if it is not for the caller’s own.');

/** As of a boot; but nobody here has named an image, so that the VPN's own is simply not there. */
const { ImageNotFound: _missing, ImageNotAuthorized: _hidden, ...faults } = bootFaults;

/** Guests that are the way into a project's VLAN from outside, by OpenVPN; for administrators. */
export const extension: Extension = {
  alias: 'os-cloudpipe',
  name: 'Cloudpipe',
  namespace: 'http://docs.openstack.org/compute/ext/cloudpipe/api/v1.1',
  updated: '2011-12-16T00:00:00+00:00',
  description:
    'Adds actions to create cloudpipe instances.\n\n    When running with the Vlan network mode, you need a mechanism to route\n    from the public Internet to your vlans.  This mechanism is known as a\n    cloudpipe.\n\n    At the time of creating this class, only OpenVPN is supported.  Support for\n    a SSH Bastion host is forthcoming.\n    ',
  resources: ['/os-cloudpipe'],
  operations: [
    operation({
      name: 'ListCloudpipes',
      about: 'VPN guests of all projects, and whether they answer.',
      method: 'GET',
      path: '/os-cloudpipe',
      policy,
      answers: 200,
      view: cloudpipes,
      run: async ({ domain, context }) => cloudpipes.json(await domain.cloudpipes.list(context)),
    }),
    operation({
      name: 'CreateCloudpipe',
      about: 'Starts the VPN guest of a project unless it has one.',
      method: 'POST',
      path: '/os-cloudpipe',
      policy,
      body: wanted,
      answers: 200,
      view: made,
      faults,
      throws: [...bootThrows, 'ImageNotFound', 'ImageNotAuthorized'],
      run: async ({ domain, context, body }) =>
        made.json({ instance_id: await domain.cloudpipes.create(context, body ?? context.projectId ?? '') }),
    }),
  ],
};
