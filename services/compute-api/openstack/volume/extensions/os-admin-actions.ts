import Type from 'typebox';
import type { Extension } from '../../http/api.ts';
import { badRequest } from '../../http/faults.ts';
import { bare, operation } from '../../http/operation.ts';
import { readBy } from '../../http/shapes.ts';
import { isObject } from '../../http/values.ts';
import { volumeFaults } from '../../views/volume-bodies.ts';

const OF_SNAPSHOTS = ['creating', 'available', 'deleting', 'error', 'error_deleting'];
const OF_VOLUMES = [...OF_SNAPSHOTS, 'attaching', 'in-use', 'detaching'];

const statusOf = (allowed: readonly string[]) =>
  readBy(
    (body): string => {
      const status = isObject(body) ? body.status : undefined;
      if (typeof status !== 'string' || !allowed.includes(status)) throw badRequest();
      return status;
    },
    `\`status\`: one of ${allowed.join(', ')}.`,
  );

/** What administrators do about a volume or snapshot whose status is not what it is. */
export const extension: Extension = {
  alias: 'os-admin-actions',
  name: 'AdminActions',
  namespace: 'http://docs.openstack.org/volume/ext/admin-actions/api/v1.1',
  updated: '2012-08-25T00:00:00+00:00',
  description: 'Enable admin actions.',
  operations: [
    operation({
      name: 'ResetVolumeStatus',
      about: 'Administrators say what state a volume is in.',
      method: 'POST',
      path: '/volumes/:id/action',
      key: 'os-reset_status',
      policy: 'volume_extension:volume_admin_actions:reset_status',
      body: statusOf(OF_VOLUMES),
      answers: 202,
      faults: volumeFaults,
      run: async ({ domain, context, params, body }) => {
        await domain.volumes.setStatus(context, params.id, body);
        return bare();
      },
    }),
    operation({
      name: 'ForceDeleteVolume',
      about: 'Deletes a volume whatever its status says, unless an instance has it.',
      method: 'POST',
      path: '/volumes/:id/action',
      key: 'os-force_delete',
      policy: 'volume_extension:volume_admin_actions:force_delete',
      body: Type.Unknown(),
      answers: 202,
      faults: volumeFaults,
      throws: ['InvalidVolume'],
      run: async ({ domain, context, params }) => {
        await domain.volumes.delete(context, params.id, { force: true });
        return bare();
      },
    }),
    operation({
      name: 'ResetSnapshotStatus',
      about: 'Administrators say what state a snapshot is in.',
      method: 'POST',
      path: '/snapshots/:id/action',
      key: 'os-reset_status',
      policy: 'volume_extension:snapshot_admin_actions:reset_status',
      body: statusOf(OF_SNAPSHOTS),
      answers: 202,
      faults: volumeFaults,
      run: async ({ domain, context, params, body }) => {
        await domain.snapshots.setStatus(context, params.id, body);
        return bare();
      },
    }),
  ],
};
