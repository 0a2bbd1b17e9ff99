import { isFault } from '@folsom/core';
import { deleteExtraSpec, extraSpecs, type FlavorRow, setExtraSpecs } from '@folsom/nova/flavors';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { flavorOf } from '../core/flavors.ts';
import { nothing, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, type JsonObject, NAME_CHARS_MAX, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_extra_specs/api/v1.1';

/** A key is an element's name here. */
const pair = (tag: string) => (/^[A-Za-z_][\w.-]*$/.test(tag) ? tag : 'extra_spec');
const xml: XmlTemplate = {
  tag: 'extra_specs',
  at: 'extra_specs',
  children: [
    { tag: ([key]: [string]) => pair(key), at: (specs: JsonObject) => Object.entries(specs), text: '1' },
  ],
};
const item: XmlTemplate = {
  tag: ({ 0: key }: { 0: string }) => pair(key),
  at: (view: JsonObject) => Object.assign({}, Object.entries(view)[0]),
  text: '1',
};

function found(api: ApiRequest) {
  authorizeExtension(api.deps, api.context, 'flavorextraspecs');
  return flavorOf(api, 'flavor_id');
}

/** A flavor that is not there, or not for the caller, has nothing to list and nothing to lose. */
async function foundOrNone(api: ApiRequest): Promise<FlavorRow | undefined> {
  try {
    return await found(api);
  } catch (error) {
    if (isFault(error) && error.status === 404) return undefined;
    throw error;
  }
}

/** Folsom's policy let everybody change every flavor's specs, and with them where anybody's guests may run. */
function mayChange(api: ApiRequest): void {
  authorizeExtension(api.deps, api.context, 'flavorextraspecs');
  authorizeExtension(api.deps, api.context, 'flavormanage');
}

function toChange(api: ApiRequest): Promise<FlavorRow> {
  mayChange(api);
  return found(api);
}

function texts(specs: unknown): Record<string, string> {
  if (!isObject(specs)) throw badRequest('Malformed request body');
  return Object.fromEntries(
    Object.entries(specs).map(([key, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (key === '' || key.length > NAME_CHARS_MAX || text.length > NAME_CHARS_MAX) throw badRequest();
      return [key, text];
    }),
  );
}

export const extension: Extension = {
  alias: 'os-flavor-extra-specs',
  name: 'FlavorExtraSpecs',
  namespace: NAMESPACE,
  updated: '2011-06-23T00:00:00+00:00',
  description: 'Instance type (flavor) extra specs',
  resources: [
    {
      path: 'flavors/:flavor_id/os-extra_specs',
      index: {
        xml,
        handle: async api => {
          const flavor = await foundOrNone(api);
          return ok({ extra_specs: flavor ? await extraSpecs(api.deps.db.knex, flavor.id) : {} });
        },
      },
      create: {
        xml,
        handle: async api => {
          const flavor = await toChange(api);
          if (!isObject(api.body)) throw badRequest('Malformed request body');
          const specs = texts(api.body.extra_specs ?? {});
          await setExtraSpecs(api.deps.db.knex, flavor.id, specs, api.deps.clock.now());
          return ok(api.body);
        },
      },
      show: {
        xml: item,
        handle: async api => {
          const specs = await extraSpecs(api.deps.db.knex, (await found(api)).id);
          const key = param(api, 'id');
          if (!Object.hasOwn(specs, key)) throw notFound();
          return ok({ [key]: specs[key] });
        },
      },
      update: {
        xml: item,
        handle: async api => {
          const key = param(api, 'id');
          if (!isObject(api.body) || Object.keys(api.body).length === 0)
            throw badRequest('Request body empty');
          if (!Object.hasOwn(api.body, key)) throw badRequest('Request body and URI mismatch');
          if (Object.keys(api.body).length > 1) throw badRequest('Request body contains too many items');
          const flavor = await toChange(api);
          await setExtraSpecs(api.deps.db.knex, flavor.id, texts(api.body), api.deps.clock.now());
          return ok(api.body);
        },
      },
      delete: {
        handle: async api => {
          mayChange(api);
          const flavor = await foundOrNone(api);
          if (flavor) {
            await deleteExtraSpec(api.deps.db.knex, flavor.id, param(api, 'id'), api.deps.clock.now());
          }
          return nothing(200);
        },
      },
    },
  ],
};
