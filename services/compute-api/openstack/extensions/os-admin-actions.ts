import { ownText } from '@folsom/http/operation';
import Type from 'typebox';
import { integer } from '../../domain/values.ts';
import type { Caller, ComputeOperation, Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { bare, operation, overLimit, refusedStates } from '../http/operation.ts';
import { missingOr, NAME_CHARS_MAX, readBy, scalar, shortScalar, truth } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const path = '/servers/:id/action';
const policyOf = (action: string) => `compute_extension:admin_actions:${action}`;

/** An action without arguments. Folsom hid a server that is not there behind 422 in some, and not in others. */
const plain = (
  key: string,
  name: string,
  about: string,
  run: (caller: Caller, id: string) => Promise<void>,
  missing: 404 | 422,
): ComputeOperation =>
  operation({
    name,
    about,
    method: 'POST',
    path,
    key,
    policy: policyOf(key),
    answers: 202,
    faults: { ...refusedStates(key), InstanceNotFound: missing },
    run: async ({ context, params }) => {
      await run(context, params.id);
      return bare();
    },
  });

type State = 'pause' | 'unpause' | 'suspend' | 'resume' | 'reset_network' | 'inject_network_info';
const act = (name: State) => (caller: Caller, id: string) => caller.api.domain.servers.act(caller, id, name);
const lock = (locked: boolean) => (caller: Caller, id: string) =>
  caller.api.domain.servers.setLocked(caller, id, locked);

const BACKUP = 'Malformed createBackup entity';
const required = (name: string): string => `createBackup entity requires '${name}' attribute`;
const rotation = readBy((value): number => {
  if (value === undefined) throw badRequest(required('rotation'));
  const number = integer(value);
  if (number === undefined) throw badRequest("createBackup attribute 'rotation' must be an integer");
  if (number < 0) {
    throw badRequest("createBackup attribute 'rotation' must be greater than or equal to zero");
  }
  return number;
});

const createBackup = operation({
  name: 'CreateBackup',
  about: 'Registers an image of a server and removes the oldest beyond the number to keep.',
  method: 'POST',
  path,
  key: 'createBackup',
  policy: policyOf('createBackup'),
  body: Type.Object(
    {
      name: shortScalar(missingOr(required('name'), BACKUP)),
      backup_type: shortScalar(missingOr(required('backup_type'), BACKUP)),
      rotation,
      metadata: Type.Optional(
        readBy((value): Record<string, unknown> => {
          if (value == null) return {};
          if (!isObject(value)) throw badRequest('Invalid image metadata');
          return value;
        }),
      ),
    },
    { says: BACKUP },
  ),
  answers: 202,
  faults: { ...refusedStates('createBackup'), ImageMetadataLimitExceeded: overLimit },
  throws: ['InstanceNotFound', 'InvalidImageMetadata', 'SnapshotsNotPermitted', 'InvalidVolume'],
  run: async ({ domain, context, params, body }) => {
    const backup = { type: body.backup_type, rotation: body.rotation };
    const metadata = body.metadata ?? {};
    const image = await domain.servers.snapshot(context, params.id, { name: body.name, metadata, backup });
    return bare(body.rotation > 0 ? { location: `${context.base}/images/${image.id}` } : {});
  },
});

const NO_HOST = 'host and block_migration must be specified.';
const migrateLive = operation({
  name: 'LiveMigrateServer',
  about: 'Moves a running guest to another host.',
  method: 'POST',
  path,
  key: 'os-migrateLive',
  policy: policyOf('migrateLive'),
  body: Type.Object(
    { block_migration: truth(NO_HOST), disk_over_commit: truth(NO_HOST), host: scalar(NO_HOST) },
    { says: NO_HOST },
  ),
  answers: 202,
  throws: ['InstanceNotFound', 'LiveMigrationFailed', 'InstanceIsLocked', 'InstanceInvalidState'],
  run: async ({ domain, context, params, body }) => {
    await domain.servers.liveMigrate(context, params.id, {
      ...body,
      host: body.host.slice(0, NAME_CHARS_MAX),
    });
    return bare();
  },
});

const STATES = 'Desired state must be specified.  Valid states are: active, error';
const resetState = operation({
  name: 'ResetServerState',
  about: 'Sets the state of a server that stands in a wrong one, and nothing else.',
  method: 'POST',
  path,
  key: 'os-resetState',
  policy: policyOf('resetState'),
  body: Type.Object(
    { state: Type.Union([Type.Literal('active'), Type.Literal('error')], { says: STATES }) },
    { says: STATES },
  ),
  answers: 202,
  faults: refusedStates('resetState'),
  throws: ['InstanceNotFound'],
  run: async ({ domain, context, params, body }) => {
    await domain.servers.resetState(context, params.id, body.state);
    return bare();
  },
});

const migrate = operation({
  name: 'MigrateServer',
  about: "Moves a server to a host of the scheduler's choice.",
  method: 'POST',
  path,
  key: 'migrate',
  policy: policyOf('migrate'),
  answers: 202,
  faults: {
    ...refusedStates('migrate'),
    InstanceNotFound: 400,
    FlavorNotFound: 400,
    ImageNotFound: 400,
    ImageNotAuthorized: 400,
    PolicyNotAuthorized: [403, ownText],
  },
  run: async ({ domain, context, params }) => {
    await domain.servers.migrate(context, params.id);
    return bare();
  },
});

export const extension: Extension = {
  alias: 'os-admin-actions',
  name: 'AdminActions',
  namespace: 'http://docs.openstack.org/compute/ext/admin-actions/api/v1.1',
  updated: '2011-09-20T00:00:00+00:00',
  description:
    'Enable admin-only server actions\n\n    Actions include: pause, unpause, suspend, resume, migrate,\n    resetNetwork, injectNetworkInfo, lock, unlock, createBackup\n    ',
  operations: [
    plain('pause', 'PauseServer', 'Stops a guest where it stands, in memory.', act('pause'), 422),
    plain('unpause', 'UnpauseServer', 'Lets a paused guest go on.', act('unpause'), 422),
    plain('suspend', 'SuspendServer', 'Writes a guest to disk and stops it.', act('suspend'), 422),
    plain('resume', 'ResumeServer', 'Brings back a suspended guest.', act('resume'), 422),
    plain(
      'resetNetwork',
      'ResetServerNetwork',
      'Connects the interfaces of a guest to their networks again.',
      act('reset_network'),
      422,
    ),
    plain(
      'injectNetworkInfo',
      'InjectNetworkInfo',
      'Reads the addresses of a guest anew from its networks.',
      act('inject_network_info'),
      404,
    ),
    plain(
      'lock',
      'LockServer',
      'Keeps everybody but administrators from changing a server.',
      lock(true),
      404,
    ),
    plain('unlock', 'UnlockServer', 'Lets its users change a server again.', lock(false), 404),
    migrate,
    createBackup,
    migrateLive,
    resetState,
  ],
};
