import { isFault } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { getInstance } from '../../domain/instances.ts';
import { act, liveMigrate, resetState, setLocked } from '../../domain/lifecycle.ts';
import { resize } from '../../domain/resize.ts';
import { snapshot } from '../../domain/snapshots.ts';
import { actionBody, imageProperties, orUnprocessable } from '../core/server-actions.ts';
import { type Answer, empty } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, conflictForState, inState, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import {
  type ApiRequest,
  boolFromString,
  integer,
  isObject,
  NAME_CHARS_MAX,
  param,
  scalarText,
} from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/admin-actions/api/v1.1';

const instanceOf = (api: ApiRequest): Promise<InstanceRecord> =>
  getInstance(api.deps, api.context, param(api, 'id'));

/** Policy, the instance, the work; what goes wrong hides behind 422 but for a state that forbids it. */
async function run(
  api: ApiRequest,
  action: string,
  work: (instance: InstanceRecord) => Promise<void>,
  bareNotFound = false,
): Promise<Answer> {
  authorizeExtension(api.deps, api.context, `admin_actions:${action}`);
  const found = bareNotFound
    ? await translating({ InstanceNotFound: () => notFound() }, () => instanceOf(api))
    : undefined;
  await orUnprocessable(action, async () => work(found ?? (await instanceOf(api))));
  return empty();
}

const plain = (api: ApiRequest, action: 'pause' | 'unpause' | 'suspend' | 'resume'): Promise<Answer> =>
  run(api, action, instance => act(api.deps, api.context, instance, action));

async function migrate(api: ApiRequest): Promise<Answer> {
  authorizeExtension(api.deps, api.context, 'admin_actions:migrate');
  try {
    await resize(api.deps, api.context, await instanceOf(api), undefined);
  } catch (error) {
    if (isFault(error, 'InstanceInvalidState') || isFault(error, 'InstanceIsLocked')) {
      conflictForState(error, 'migrate');
    }
    if (isFault(error) && error.status < 500) throw badRequest();
    throw error;
  }
  return empty();
}

async function createBackup(api: ApiRequest): Promise<Answer> {
  authorizeExtension(api.deps, api.context, 'admin_actions:createBackup');
  const body = actionBody(api, 'createBackup');
  if (!isObject(body)) throw badRequest('Malformed createBackup entity');
  for (const key of ['name', 'backup_type', 'rotation']) {
    if (!(key in body)) throw badRequest(`createBackup entity requires '${key}' attribute`);
  }
  const name = scalarText(body.name);
  const type = scalarText(body.backup_type);
  if (
    name === undefined ||
    type === undefined ||
    name.length > NAME_CHARS_MAX ||
    type.length > NAME_CHARS_MAX
  )
    throw badRequest('Malformed createBackup entity');
  const rotation = integer(body.rotation);
  if (rotation === undefined) throw badRequest("createBackup attribute 'rotation' must be an integer");
  if (rotation < 0) {
    throw badRequest("createBackup attribute 'rotation' must be greater than or equal to zero");
  }
  const properties = await imageProperties(api, body.metadata);
  const instance = await translating({ InstanceNotFound: () => notFound() }, () => instanceOf(api));
  const image = await inState('createBackup', () =>
    snapshot(api.deps, api.context, instance, { name, properties, backup: { type, rotation } }),
  );
  return empty(202, rotation > 0 ? { location: `${api.base}/images/${image.id}` } : {});
}

async function migrateLive(api: ApiRequest): Promise<Answer> {
  authorizeExtension(api.deps, api.context, 'admin_actions:migrateLive');
  const body = actionBody(api, 'os-migrateLive');
  if (!isObject(body) || !['block_migration', 'disk_over_commit', 'host'].every(key => key in body)) {
    throw badRequest('host and block_migration must be specified.');
  }
  const host = scalarText(body.host)?.slice(0, NAME_CHARS_MAX);
  if (host === undefined) throw badRequest('host and block_migration must be specified.');
  try {
    await liveMigrate(api.deps, api.context, await instanceOf(api), {
      host,
      block_migration: boolFromString(body.block_migration),
      disk_over_commit: boolFromString(body.disk_over_commit),
    });
  } catch (error) {
    if (isFault(error, 'PolicyNotAuthorized')) throw error;
    api.deps.log.error('live migration failed', { requestId: api.context.requestId, error });
    throw badRequest(`Live migration of instance ${param(api, 'id')} to host ${host} failed`);
  }
  return empty();
}

async function reset(api: ApiRequest): Promise<Answer> {
  authorizeExtension(api.deps, api.context, 'admin_actions:resetState');
  const body = actionBody(api, 'os-resetState');
  const state = isObject(body) ? body.state : undefined;
  if (state !== 'active' && state !== 'error') {
    throw badRequest('Desired state must be specified.  Valid states are: active, error');
  }
  const instance = await translating({ InstanceNotFound: () => notFound() }, () => instanceOf(api));
  await orUnprocessable('resetState', () => resetState(api.deps, api.context, instance, state));
  return empty();
}

export const extension: Extension = {
  alias: 'os-admin-actions',
  name: 'AdminActions',
  namespace: NAMESPACE,
  updated: '2011-09-20T00:00:00+00:00',
  description:
    'Enable admin-only server actions\n\n    Actions include: pause, unpause, suspend, resume, migrate,\n    resetNetwork, injectNetworkInfo, lock, unlock, createBackup\n    ',
  actions: {
    servers: {
      pause: { handle: api => plain(api, 'pause') },
      unpause: { handle: api => plain(api, 'unpause') },
      suspend: { handle: api => plain(api, 'suspend') },
      resume: { handle: api => plain(api, 'resume') },
      resetNetwork: {
        handle: api => run(api, 'resetNetwork', on => act(api.deps, api.context, on, 'reset_network')),
      },
      injectNetworkInfo: {
        handle: api =>
          run(api, 'injectNetworkInfo', on => act(api.deps, api.context, on, 'inject_network_info'), true),
      },
      lock: { handle: api => run(api, 'lock', on => setLocked(api.deps, api.context, on, true), true) },
      unlock: { handle: api => run(api, 'unlock', on => setLocked(api.deps, api.context, on, false), true) },
      migrate: { handle: migrate },
      createBackup: { handle: createBackup },
      'os-migrateLive': { handle: migrateLive },
      'os-resetState': { handle: reset },
    },
  },
};
