import { getInstance } from '../../domain/instances.ts';
import { addFixedIp, removeFixedIp } from '../../domain/lifecycle.ts';
import { actionBody } from '../core/server-actions.ts';
import { empty } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound, translating, unprocessable } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, param, scalarText } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/multinic/api/v1.1';

async function run(api: ApiRequest, action: string, key: string, work: typeof addFixedIp) {
  authorizeExtension(api.deps, api.context, 'multinic');
  const body = actionBody(api, action);
  if (!isObject(body) || !(key in body)) {
    throw unprocessable(action === 'addFixedIp' ? "Missing 'networkId' argument for addFixedIp" : undefined);
  }
  const value = scalarText(body[key]);
  if (value === undefined || value.length > 255) throw unprocessable();
  const instance = await translating({ InstanceNotFound: () => notFound() }, () =>
    getInstance(api.deps, api.context, param(api, 'id')),
  );
  await work(api.deps, api.context, instance, value);
  return empty();
}

export const extension: Extension = {
  alias: 'NMN',
  name: 'Multinic',
  namespace: NAMESPACE,
  updated: '2011-06-09T00:00:00+00:00',
  description: 'Multiple network support',
  actions: {
    servers: {
      addFixedIp: { handle: api => run(api, 'addFixedIp', 'networkId', addFixedIp) },
      removeFixedIp: { handle: api => run(api, 'removeFixedIp', 'address', removeFixedIp) },
    },
  },
};
