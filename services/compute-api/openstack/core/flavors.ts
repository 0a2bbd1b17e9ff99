import { type FlavorFilter, type FlavorRow, flavorByFlavorId, listFlavors } from '@folsom/nova/flavors';
import { ok } from '../http/answer.ts';
import type { Registry } from '../http/extension.ts';
import { badRequest, notFound, translating } from '../http/faults.ts';
import { nextLink } from '../http/links.ts';
import { type ApiRequest, integer, type JsonObject, pageOf, param } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';
import { flavorSummary, flavorTemplates, flavorView } from '../views/flavors.ts';

async function listed(api: ApiRequest): Promise<FlavorRow[]> {
  const filter: FlavorFilter = visibility(api);
  for (const [name, key, text] of [
    ['minRam', 'minRam', 'Invalid minRam filter [%s]'],
    ['minDisk', 'minDisk', 'Invalid minDisk filter [%s]'],
  ] as const) {
    const value = api.query.get(name);
    if (value === null) continue;
    const number = integer(value);
    if (number === undefined) throw badRequest(text.replace('%s', value));
    filter[key] = number;
  }
  const flavors = await listFlavors(api.deps.db.knex, filter);
  flavors.sort((a, b) => (a.flavorid < b.flavorid ? -1 : 1));
  const { limit, marker } = pageOf(api);
  let start = 0;
  if (marker !== undefined) {
    start = flavors.findIndex(flavor => flavor.flavorid === marker) + 1;
    if (start === 0) throw badRequest(`marker [${marker}] not found`);
  }
  return flavors.slice(start, start + limit);
}

/** Users see public flavors and those given to them; administrators choose. */
function visibility(api: ApiRequest): FlavorFilter {
  const { isAdmin, projectId } = api.context;
  if (!isAdmin) return { isPublic: true, disabled: false, ...(projectId === null ? {} : { projectId }) };
  const text = api.query.get('is_public');
  if (text === null) return { isPublic: true, ...(projectId === null ? {} : { projectId }) };
  if (/^none$/i.test(text)) return {};
  if (!/^(t|true|yes|1|f|false|no|0)$/i.test(text)) {
    throw badRequest(`Invalid is_public filter [${text}]`);
  }
  const isPublic = /^(t|true|yes|1)$/i.test(text);
  return isPublic && projectId !== null ? { isPublic, projectId } : { isPublic };
}

/** The flavor of the path, or the resource's 404. */
export const flavorOf = (
  api: ApiRequest,
  name = 'id',
  fault = notFound,
  options: { deleted?: boolean } = {},
) =>
  translating({ FlavorNotFound: () => fault() }, () =>
    flavorByFlavorId(api.deps.db.knex, param(api, name), api.context, options),
  );

function page(api: ApiRequest, flavors: readonly FlavorRow[], one: typeof flavorView): JsonObject {
  const next = nextLink(
    api,
    'flavors',
    flavors.map(flavor => ({ id: flavor.flavorid })),
  );
  return { flavors: flavors.map(flavor => one(api, flavor)), ...(next ? { flavors_links: next } : {}) };
}

export function flavorsResource(registry: Registry): Resource {
  const xml = flavorTemplates(registry);
  return {
    path: 'flavors',
    index: {
      xml: xml.minimal,
      handle: async api => ok(page(api, await listed(api), flavorSummary)),
    },
    collection: {
      detail: {
        method: 'GET',
        xml: xml.detail,
        handle: async api => ok(page(api, await listed(api), flavorView)),
      },
    },
    // A deleted flavor stays visible by its id: servers still name it.
    show: {
      xml: xml.one,
      handle: async api =>
        ok({ flavor: flavorView(api, await flavorOf(api, 'id', notFound, { deleted: true })) }),
    },
  };
}
