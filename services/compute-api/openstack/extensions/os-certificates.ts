import { attributesOf, one, view } from '@folsom/wire/view';
import type { Extension } from '../http/api.ts';
import { notImplemented } from '../http/faults.ts';
import { operation } from '../http/operation.ts';

const policy = 'compute_extension:certificates';
interface Certificate {
  private_key: string | null;
  data: string;
}
const certificate = one(view<[Certificate]>('certificate', attributesOf<Certificate>('private_key', 'data')));

export const extension: Extension = {
  alias: 'os-certificates',
  name: 'Certificates',
  namespace: 'http://docs.openstack.org/compute/ext/certificates/api/v1.1',
  updated: '2012-01-19T00:00:00+00:00',
  description: 'Certificates support',
  resources: ['/os-certificates'],
  operations: [
    operation({
      name: 'ShowCertificate',
      about: 'The certificate of the authority: `root` is the only one that can be had.',
      method: 'GET',
      path: '/os-certificates/:id',
      policy,
      answers: 200,
      view: certificate,
      faults: { CertificateMissing: 404 },
      run: async ({ domain, context, params }) => {
        if (params.id !== 'root') throw notImplemented('Only root certificate can be retrieved.');
        const data = await domain.certificates.root(context);
        return certificate.json({ private_key: null, data });
      },
    }),
    operation({
      name: 'CreateCertificate',
      about: 'A new key and its certificate for the caller.',
      method: 'POST',
      path: '/os-certificates',
      policy,
      answers: 200,
      view: certificate,
      run: async ({ domain, context }) => {
        const { privateKey: private_key, certificate: data } = await domain.certificates.make(context);
        return certificate.json({ private_key, data });
      },
    }),
  ],
};
