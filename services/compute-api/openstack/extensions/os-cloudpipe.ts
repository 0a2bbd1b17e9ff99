import { isoSeconds } from '@folsom/core';
import { bootFaults, bootThrows } from '../core/server-faults.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:cloudpipe';

const FIELDS = [
  'project_id',
  'instance_id',
  'created_at',
  'internal_ip',
  'public_ip',
  'public_port',
  'state',
] as const;

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
      view: {
        xml: {
          tag: 'cloudpipes',
          children: [
            {
              tag: 'cloudpipe',
              at: 'cloudpipes',
              children: FIELDS.map(name => ({ tag: name, at: name, text: '' })),
            },
          ],
        },
      },
      run: async ({ domain, context }) => ({
        cloudpipes: (await domain.cloudpipes.list(context)).map(({ created_at, ...rest }) => ({
          ...rest,
          created_at: created_at === null ? null : isoSeconds(created_at),
        })),
      }),
    }),
    operation({
      name: 'CreateCloudpipe',
      about: 'Starts the VPN guest of a project unless it has one.',
      method: 'POST',
      path: '/os-cloudpipe',
      policy,
      body: wanted,
      answers: 200,
      view: { xml: { tag: 'cloudpipe', children: [{ tag: 'instance_id', at: 'instance_id', text: '' }] } },
      faults,
      throws: [...bootThrows, 'ImageNotFound', 'ImageNotAuthorized'],
      run: async ({ domain, context, body }) => ({
        instance_id: await domain.cloudpipes.create(context, body ?? context.projectId ?? ''),
      }),
    }),
  ],
};
