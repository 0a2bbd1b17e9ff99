import { isFault } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import type { Extension, JsonObject } from '../http/api.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';
import { specsXml, specXml } from '../views/extra-specs.ts';

const policy = 'compute_extension:flavorextraspecs';
const path = '/flavors/:flavor_id/os-extra_specs';

const MALFORMED = 'Malformed request body';

function specsOf(specs: unknown): Record<string, string> {
  if (!isObject(specs)) throw badRequest(MALFORMED);
  return Object.fromEntries(
    Object.entries(specs).map(([key, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (key === '' || key.length > NAME_CHARS_MAX || text.length > NAME_CHARS_MAX) throw badRequest();
      return [key, text];
    }),
  );
}

/** The body as it was sent, which is the answer, and the texts in it. */
const specs = readBy((body): { sent: JsonObject; texts: Record<string, string> } => {
  if (!isObject(body)) throw badRequest(MALFORMED);
  return { sent: body, texts: specsOf(body.extra_specs ?? {}) };
}, '`extra_specs`: keys and texts.');
const oneSpec = readBy((body): { sent: JsonObject; texts: Record<string, string> } => {
  if (!isObject(body) || Object.keys(body).length === 0) throw badRequest('Request body empty');
  return { sent: body, texts: specsOf(body) };
}, 'The key of the path and its text.');

/** A flavor that is not there, or not for the caller, has nothing to list and nothing to lose. */
async function orNothing<T>(work: Promise<T>, nothing: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error, 'FlavorNotFound')) return nothing;
    throw error;
  }
}

export const extension: Extension = {
  alias: 'os-flavor-extra-specs',
  name: 'FlavorExtraSpecs',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_extra_specs/api/v1.1',
  updated: '2011-06-23T00:00:00+00:00',
  description: 'Instance type (flavor) extra specs',
  resources: [path],
  operations: [
    operation({
      name: 'ListFlavorSpecs',
      about: 'What a flavor asks of hosts.',
      method: 'GET',
      path,
      policy,
      answers: 200,
      view: { xml: specsXml },
      throws: ['FlavorNotFound'],
      run: async ({ domain, context, params }) => ({
        extra_specs: await orNothing(domain.flavors.specs(context, params.flavor_id), {}),
      }),
    }),
    operation({
      name: 'SetFlavorSpecs',
      about: 'Sets these and leaves the others; for those who manage flavors.',
      method: 'POST',
      path,
      policy,
      body: specs,
      answers: 200,
      view: { xml: specsXml },
      throws: ['FlavorNotFound'],
      run: async ({ domain, context, params, body }) => {
        await domain.flavors.setSpecs(context, params.flavor_id, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: 'ShowFlavorSpec',
      about: 'One thing that a flavor asks of hosts.',
      method: 'GET',
      path: `${path}/:id`,
      policy,
      answers: 200,
      view: { xml: specXml },
      throws: ['FlavorNotFound'],
      run: async ({ domain, context, params }) => {
        const all = await domain.flavors.specs(context, params.flavor_id);
        if (!Object.hasOwn(all, params.id)) throw notFound();
        return { [params.id]: all[params.id] };
      },
    }),
    operation({
      name: 'SetFlavorSpec',
      about: 'Sets one thing that a flavor asks of hosts.',
      method: 'PUT',
      path: `${path}/:id`,
      policy,
      body: oneSpec,
      answers: 200,
      view: { xml: specXml },
      throws: ['FlavorNotFound'],
      run: async ({ domain, context, params, body }) => {
        if (!Object.hasOwn(body.sent, params.id)) throw badRequest('Request body and URI mismatch');
        if (Object.keys(body.sent).length > 1) throw badRequest('Request body contains too many items');
        await domain.flavors.setSpecs(context, params.flavor_id, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: 'DeleteFlavorSpec',
      about: 'Removes one thing that a flavor asks of hosts.',
      method: 'DELETE',
      path: `${path}/:id`,
      policy,
      answers: 200,
      throws: ['FlavorNotFound'],
      run: async ({ domain, context, params }) => {
        await orNothing(domain.flavors.deleteSpec(context, params.flavor_id, params.id), undefined);
        return answer({});
      },
    }),
  ],
};
