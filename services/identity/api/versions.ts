import { answer } from '@folsom/http/operation';
import { fault } from '../faults.ts';
import type { Port } from './caller.ts';
import type { Dependencies } from './dependencies.ts';
import { ADMIN, BOTH, operation, PUBLIC } from './operation.ts';

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

// The address comes from the catalog; while that has no identity service there is nothing to tell.
async function version({ catalog }: Dependencies, port: Port): Promise<Record<string, unknown>> {
  const url = await catalog.identityUrl(port);
  if (url === null) throw fault('NotImplemented');
  return versionView(url);
}

const open = { ports: BOTH, policy: null, public: true } as const;
const certificate = (text: string) => answer({ bytes: text, type: 'text/html; charset=UTF-8' });

/** What stands at the root of a port. */
export const rootOperations = [
  operation({
    name: 'get_versions',
    about: 'The versions of the API.',
    method: 'ANY',
    path: '',
    ...open,
    answers: 300,
    throws: ['NotImplemented'],
    run: async ({ domain, context }) => ({ versions: { values: [await version(domain, context.port)] } }),
  }),
];

/** Version documents, extensions and certificates: what anybody may read. */
export const documentOperations = [
  operation({
    name: 'get_version',
    about: 'This version of the API.',
    method: 'ANY',
    path: '',
    ...open,
    answers: 200,
    throws: ['NotImplemented'],
    run: async ({ domain, context }) => ({ version: await version(domain, context.port) }),
  }),
  operation({
    name: 'get_extensions_info',
    about: 'The extensions of the public API: none.',
    method: 'GET',
    path: '/extensions',
    ...open,
    ports: PUBLIC,
    answers: 200,
    run: () => ({ extensions: { values: [] } }),
  }),
  operation({
    name: 'get_extensions_info',
    about: 'The extensions of the admin API.',
    method: 'GET',
    path: '/extensions',
    ...open,
    ports: ADMIN,
    answers: 200,
    run: () => ({ extensions: { values: [OS_KSADM] } }),
  }),
  operation({
    name: 'get_extension_info',
    about: 'One extension.',
    method: 'GET',
    path: '/extensions/:alias',
    ...open,
    answers: 200,
    throws: ['NotFound'],
    run: ({ context, params: { alias } }) => {
      if (context.port === 'admin' && alias === OS_KSADM.alias) return { extension: OS_KSADM };
      throw fault('NotFound', { target: alias });
    },
  }),
  operation({
    name: 'ca_cert',
    about: 'The certificate of the authority that certifies signed tokens.',
    method: 'GET',
    path: '/certificates/ca',
    ...open,
    answers: 200,
    throws: ['NotImplemented'],
    run: ({ domain: { pki } }) => certificate(pki.caCertificate()),
  }),
  operation({
    name: 'signing_cert',
    about: 'The certificate that tokens are signed with.',
    method: 'GET',
    path: '/certificates/signing',
    ...open,
    answers: 200,
    throws: ['NotImplemented'],
    run: ({ domain: { pki } }) => certificate(pki.signingCertificate()),
  }),
];
