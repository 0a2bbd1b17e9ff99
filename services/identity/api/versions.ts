import { fault } from '../faults.ts';
import type { Dependencies } from './dependencies.ts';
import { ADMIN, type Asked, BOTH, type Operation, PUBLIC, Reply } from './operation.ts';

const DOCS = 'http://docs.openstack.org/api/openstack-identity-service/2.0';

const versionView = (url: string): Record<string, unknown> => ({
  id: 'v2.0',
  status: 'stable',
  updated: '2012-10-13T17:42:56Z',
  links: [
    { rel: 'self', href: url.endsWith('/') ? url : `${url}/` },
    { rel: 'describedby', type: 'text/html', href: `${DOCS}/content/` },
    { rel: 'describedby', type: 'application/pdf', href: `${DOCS}/identity-dev-guide-2.0.pdf` },
  ],
  'media-types': ['json', 'xml'].map(notation => ({
    base: `application/${notation}`,
    type: `application/vnd.openstack.identity-v2.0+${notation}`,
  })),
});

const OS_KSADM = {
  name: 'Openstack Keystone Admin',
  namespace: 'http://docs.openstack.org/identity/api/ext/OS-KSADM/v1.0',
  alias: 'OS-KSADM',
  updated: '2011-08-19T13:25:27-06:00',
  description: 'Openstack extensions to Keystone v2.0 API enabling Admin Operations.',
  links: [{ rel: 'describedby', type: 'text/html', href: 'https://github.com/openstack/identity-api' }],
};

/** Version documents, extensions and certificates: what anybody may read. */
export function documentOperations({ catalog, pki }: Dependencies): Operation[] {
  // The address comes from the catalog; while that has no identity service there is nothing to tell.
  const version = async (asked: Asked) => {
    const url = await catalog.identityUrl(asked.port);
    if (url === null) throw fault('NotImplemented');
    return versionView(url);
  };
  const open = { ports: BOTH, access: 'anyone' } as const;
  const get = { method: 'GET', ...open } as const;
  const certificate = (text: string) =>
    new Reply(200, { type: 'text/html; charset=UTF-8', text, vary: false });
  return [
    {
      name: 'get_versions',
      method: 'ANY',
      path: '/',
      absolute: true,
      ...open,
      handle: async asked => new Reply(300, { versions: { values: [await version(asked)] } }),
    },
    {
      name: 'get_version',
      method: 'ANY',
      path: '/',
      ...open,
      handle: async asked => ({ version: await version(asked) }),
    },
    {
      name: 'get_extensions_info',
      ...get,
      path: '/extensions',
      ports: PUBLIC,
      handle: () => ({ extensions: { values: [] } }),
    },
    {
      name: 'get_extensions_info',
      ...get,
      path: '/extensions',
      ports: ADMIN,
      handle: () => ({ extensions: { values: [OS_KSADM] } }),
    },
    {
      name: 'get_extension_info',
      ...get,
      path: '/extensions/:alias',
      handle: asked => {
        const { alias } = asked.params;
        if (asked.port === 'admin' && alias === OS_KSADM.alias) return { extension: OS_KSADM };
        throw fault('NotFound', { target: alias });
      },
    },
    {
      name: 'ca_cert',
      ...get,
      path: '/certificates/ca',
      handle: () => certificate(pki.caCertificate()),
    },
    {
      name: 'signing_cert',
      ...get,
      path: '/certificates/signing',
      handle: () => certificate(pki.signingCertificate()),
    },
  ];
}
