import { isImageFault, plainPage, registryFailure } from '../faults.ts';
import {
  type RegistryParts,
  registryCreate,
  registryDelete,
  registryDetail,
  registryList,
  registryShow,
  registryUpdate,
} from './images.ts';
import {
  registryAddMember,
  registryDeleteMember,
  registryMembers,
  registryReplaceMembers,
  registrySharedImages,
} from './members.ts';
import { readRegistryQuery } from './query.ts';
import type { Registry } from './registry.ts';

/** The registry's rules on the database of this process: the same answers as over HTTP, without the way there. */
export function localRegistry(parts: RegistryParts): Registry {
  const answer = async <T>(work: Promise<T> | (() => Promise<T>)): Promise<T> => {
    try {
      return await (typeof work === 'function' ? work() : work);
    } catch (error) {
      if (isImageFault(error)) {
        throw registryFailure(error.status, plainPage(error), error);
      }
      throw error;
    }
  };
  return {
    list: (context, params) => answer(async () => registryList(parts, context, readRegistryQuery(params))),
    detail: (context, params) =>
      answer(async () => registryDetail(parts, context, readRegistryQuery(params))),
    get: (context, id) => answer(registryShow(parts, context, id)),
    add: (context, values) => answer(registryCreate(parts, context, { image: values })),
    update: (context, id, values, options) =>
      answer(registryUpdate(parts, context, id, { image: values }, options)),
    delete: async (context, id, lastStatus) =>
      (await answer(registryDelete(parts, context, id, lastStatus))).before,
    members: (context, id) => answer(registryMembers(parts, context, id)),
    sharedImages: (context, tenant) => answer(registrySharedImages(parts, context, tenant)),
    replaceMembers: (context, id, body) =>
      answer(registryReplaceMembers(parts, context, id, membershipsBody(body))),
    addMember: (context, id, tenant, canShare) =>
      answer(
        registryAddMember(
          parts,
          context,
          id,
          tenant,
          canShare === undefined ? undefined : { member: { can_share: canShare } },
        ),
      ),
    deleteMember: (context, id, tenant) => answer(registryDeleteMember(parts, context, id, tenant)),
    stamp: () => parts.db.stamp(),
    ping: () => parts.db.ping(),
  };
}

/** The shapes the original client accepted for a new list of members, brought to the one the registry takes. */
export function membershipsBody(body: unknown): unknown {
  if (Array.isArray(body)) return { memberships: body };
  if (body !== null && typeof body === 'object' && !('memberships' in body)) return { memberships: [body] };
  return body;
}
