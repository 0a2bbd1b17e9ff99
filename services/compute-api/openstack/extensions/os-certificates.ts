import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound, notImplemented } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/certificates/api/v1.1';

const xml = {
  tag: 'certificate',
  at: 'certificate',
  attributes: { data: 'data', private_key: 'private_key' },
};

const ask = (api: ApiRequest, method: string, args: Record<string, unknown>): Promise<unknown> =>
  api.deps.bus.call(api.context, api.deps.config.cert_topic, { method, version: '1.0', args });

export const extension: Extension = {
  alias: 'os-certificates',
  name: 'Certificates',
  namespace: NAMESPACE,
  updated: '2012-01-19T00:00:00+00:00',
  description: 'Certificates support',
  resources: [
    {
      path: 'os-certificates',
      show: {
        xml,
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'certificates');
          if (param(api, 'id') !== 'root') {
            throw notImplemented('Only root certificate can be retrieved.');
          }
          const data = await ask(api, 'fetch_ca', { project_id: api.context.projectId });
          if (!data) throw notFound();
          return ok({ certificate: { private_key: null, data } });
        },
      },
      create: {
        xml,
        body: false,
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'certificates');
          const made = await ask(api, 'generate_x509_cert', {
            user_id: api.context.userId,
            project_id: api.context.projectId,
          });
          const [private_key, data] = made as [string, string];
          return ok({ certificate: { private_key, data } });
        },
      },
    },
  ],
};
