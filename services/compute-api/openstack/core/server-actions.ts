import { isFault } from '@folsom/core';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { reboot, setAdminPassword } from '../../domain/lifecycle.ts';
import { limitsFor } from '../../domain/quota-checks.ts';
import { rebuild } from '../../domain/rebuild.ts';
import { confirmResize, notResized, resize, revertResize } from '../../domain/resize.ts';
import { snapshot } from '../../domain/snapshots.ts';
import { type Answer, empty, ok } from '../http/answer.ts';
import {
  badRequest,
  conflictForState,
  inState,
  notFound,
  tooLarge,
  translating,
  unprocessable,
} from '../http/faults.ts';
import { selfHref } from '../http/links.ts';
import { type ApiRequest, isObject, type JsonObject, NAME_CHARS_MAX } from '../http/request.ts';
import type { Operation } from '../http/resource.ts';
import {
  accessAddress,
  adminPasswordOf,
  autoDiskConfig,
  flavorIdOf,
  imageIdOf,
  injectedFilesOf,
  readMetadataBody,
  serverName,
} from './server-body.ts';
import { serverOf, shown } from './server-lookup.ts';
import { readActionXml } from './server-xml.ts';

/** The action's own part of the body. */
export const actionBody = (api: ApiRequest, name: string): unknown => (api.body as JsonObject)[name];

/** The actions every server has; extensions bring more. */
export function serverActions(xml: XmlTemplate): Record<string, Operation> {
  const action = (handle: Operation['handle']): Operation => ({ handle, readXml: readActionXml, xml });
  return {
    reboot: action(rebootAction),
    changePassword: action(changePassword),
    rebuild: action(rebuildAction),
    resize: action(resizeAction),
    confirmResize: action(api => settle(api, 'confirmResize')),
    revertResize: action(api => settle(api, 'revertResize')),
    createImage: action(createImage),
  };
}

async function rebootAction(api: ApiRequest): Promise<Answer> {
  const body = actionBody(api, 'reboot');
  if (body === null) throw badRequest();
  if (!isObject(body) || !('type' in body)) throw badRequest("Missing argument 'type' for reboot");
  const type = typeof body.type === 'string' ? body.type.toUpperCase() : '';
  if (type !== 'HARD' && type !== 'SOFT') {
    throw badRequest("Argument 'type' for reboot is not HARD or SOFT");
  }
  const instance = await serverOf(api);
  await orUnprocessable('reboot', () => reboot(api.deps, api.context, instance, type));
  return empty();
}

/** Folsom hides what else goes wrong in some actions behind one status. */
export async function orUnprocessable(action: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isFault(error, 'InstanceInvalidState') || isFault(error, 'InstanceIsLocked')) {
      conflictForState(error, action);
    }
    if (isFault(error, 'PolicyNotAuthorized') || !isFault(error) || error.status >= 500) throw error;
    throw unprocessable();
  }
}

async function changePassword(api: ApiRequest): Promise<Answer> {
  const body = actionBody(api, 'changePassword');
  if (body === null) throw badRequest();
  if (!isObject(body) || !('adminPass' in body)) throw badRequest('No adminPass was specified');
  const password = body.adminPass;
  if (typeof password !== 'string' || password.length > NAME_CHARS_MAX) throw badRequest('Invalid adminPass');
  const instance = await serverOf(api);
  await setAdminPassword(api.deps, api.context, instance, password);
  return empty();
}

async function rebuildAction(api: ApiRequest): Promise<Answer> {
  const body = actionBody(api, 'rebuild');
  if (!isObject(body) || !('imageRef' in body)) throw badRequest('Could not parse imageRef from request.');
  const imageId = imageIdOf(body.imageRef);
  const password = adminPasswordOf(api, body.adminPass, 'adminPass' in body);
  const instance = await serverOf(api);
  const changes: JsonObject = {};
  if ('accessIPv4' in body) changes.access_ip_v4 = accessAddress(4, body.accessIPv4);
  if ('accessIPv6' in body) changes.access_ip_v6 = accessAddress(6, body.accessIPv6);
  if ('name' in body) changes.display_name = serverName(body.name);
  const disk = autoDiskConfig(api, body);
  if (disk !== undefined) changes.auto_disk_config = disk;
  const metadata = 'metadata' in body ? readMetadataBody(body.metadata) : undefined;
  const files = 'personality' in body ? injectedFilesOf(body.personality ?? []) : [];
  await inState('rebuild', () =>
    translating(
      {
        InstanceNotFound: () => notFound('Instance could not be found'),
        InvalidMetadata: error => badRequest(error.message),
        InvalidMetadataSize: error => tooLarge(error.message),
        MetadataLimitExceeded: error => tooLarge(error.message, 0),
        OnsetFileLimitExceeded: error => tooLarge(error.message, 0),
        OnsetFilePathLimitExceeded: error => tooLarge(error.message, 0),
        OnsetFileContentLimitExceeded: error => tooLarge(error.message, 0),
        ImageNotFound: () => badRequest('Cannot find image for rebuild'),
        ImageNotAuthorized: () => badRequest('Cannot find image for rebuild'),
        InstanceTypeMemoryTooSmall: error => badRequest(error.message),
        InstanceTypeDiskTooSmall: error => badRequest(error.message),
        // Which filter refused is for administrators: the scheduler's log has it.
        NoValidHost: () => badRequest('No valid host was found.'),
      },
      () => rebuild(api.deps, api.context, instance, { imageId, password, files, metadata, changes }),
    ),
  );
  const server = await shown(api, instance.uuid);
  if (api.deps.config.enable_instance_password) server.adminPass = password;
  return ok({ server }, { status: 202, headers: { location: selfHref(api, 'servers', instance.uuid) } });
}

async function resizeAction(api: ApiRequest): Promise<Answer> {
  const body = actionBody(api, 'resize');
  if (!isObject(body) || !('flavorRef' in body)) {
    throw badRequest("Resize requests require 'flavorRef' attribute.");
  }
  if (!body.flavorRef) throw badRequest("Resize request has invalid 'flavorRef' attribute.");
  const disk = autoDiskConfig(api, body);
  const instance = await serverOf(api);
  await inState('resize', () =>
    translating(
      {
        FlavorNotFound: () => badRequest('Unable to locate requested flavor.'),
        CannotResizeToSameFlavor: () => badRequest('Resize requires a flavor change.'),
        ImageNotFound: () => badRequest('Image that the instance was started with could not be found.'),
        TooManyInstances: error => tooLarge(error.message, 0),
      },
      () =>
        resize(
          api.deps,
          api.context,
          instance,
          flavorIdOf(body.flavorRef),
          disk === undefined ? {} : { auto_disk_config: disk },
        ),
    ),
  );
  return empty();
}

async function settle(api: ApiRequest, name: 'confirmResize' | 'revertResize'): Promise<Answer> {
  const instance = await serverOf(api);
  const work = name === 'confirmResize' ? confirmResize : revertResize;
  await inState(name, async () => {
    try {
      await work(api.deps, api.context, instance);
    } catch (error) {
      if (notResized(error)) throw badRequest('Instance has not been resized.');
      throw error;
    }
  });
  return empty(name === 'confirmResize' ? 204 : 202);
}

async function createImage(api: ApiRequest): Promise<Answer> {
  if (!api.deps.config.allow_instance_snapshots) {
    throw badRequest('Instance snapshots are not permitted at this time.');
  }
  const body = actionBody(api, 'createImage');
  const name = isObject(body) ? body.name : undefined;
  if (!name || typeof name !== 'string') throw badRequest('createImage entity requires name attribute');
  const properties = await imageProperties(api, (body as JsonObject).metadata);
  const instance = await serverOf(api);
  const image = await inState('createImage', () =>
    snapshot(api.deps, api.context, instance, { name, properties }),
  );
  return empty(202, { location: selfHref(api, 'images', image.id) });
}

/** Metadata for a new image, within the tenant's quota. */
export async function imageProperties(api: ApiRequest, metadata: unknown): Promise<Record<string, string>> {
  if (metadata === undefined || metadata === null) return {};
  if (!isObject(metadata)) throw badRequest('Invalid image metadata');
  const limits = await limitsFor(api.deps, api.context);
  const count = Object.keys(metadata).length;
  if (limits.metadata_items >= 0 && count > limits.metadata_items) {
    throw tooLarge('Image metadata limit exceeded', 0);
  }
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => {
      if (key.length === 0) throw badRequest('Image metadata key cannot be blank');
      if (key.length > NAME_CHARS_MAX) throw badRequest('Image metadata key too long');
      return [key, typeof value === 'string' ? value : JSON.stringify(value)];
    }),
  );
}
