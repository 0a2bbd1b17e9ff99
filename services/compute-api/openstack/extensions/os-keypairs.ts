import { attribute, elementsOf, manyWrapped, one, view } from '@folsom/wire/view';
import Type from 'typebox';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { bare, operation, overLimitSaying } from '../http/operation.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { NAME_CHARS_MAX, readBy } from '../http/shapes.ts';
import { present } from '../http/xml.ts';

const policy = 'compute_extension:keypairs';

interface ShownKeyPair {
  name: string;
  public_key: string | null;
  fingerprint: string | null;
  user_id?: string;
  private_key?: string;
}
const keyPair = view<[ShownKeyPair]>(
  'keypair',
  elementsOf<ShownKeyPair>('public_key', 'private_key', 'name', 'fingerprint', 'user_id'),
);
const shown = one(keyPair);
/** Each in an object of its own. */
const listed = manyWrapped(
  view<[ShownKeyPair]>('keypair', elementsOf<ShownKeyPair>('name', 'fingerprint', 'public_key')),
);

const keyName = readBy((value): string | null => {
  if (value == null || value === '') return null;
  if (typeof value !== 'string' || value.length > NAME_CHARS_MAX) {
    throw badRequest('Invalid key_name provided.');
  }
  return value;
});

const BODY = 'Invalid request body';
const INVALID = 'Keypair data is invalid';
const newKeyPair = Type.Object(
  {
    keypair: Type.Object(
      {
        name: Type.String({ says: { required: BODY, else: INVALID } }),
        public_key: Type.Optional(Type.String({ says: INVALID })),
      },
      { says: BODY },
    ),
  },
  { says: BODY },
);

export const extension: Extension = {
  alias: 'os-keypairs',
  name: 'Keypairs',
  namespace: 'http://docs.openstack.org/compute/ext/keypairs/api/v1.1',
  updated: '2011-08-08T00:00:00+00:00',
  description: 'Keypair Support',
  attributes: serverAttributes({
    shape: { key_name: Type.Optional(keyName) },
    readBoot: server => ({ keyName: server.key_name ?? null }),
    readXml: node => present(node, ['key_name']),
  }),
  server: { key_name: attribute(instance => instance.key_name) },
  resources: ['/os-keypairs'],
  operations: [
    operation({
      name: 'ListKeyPairs',
      about: "The caller's keys.",
      method: 'GET',
      path: '/os-keypairs',
      policy,
      answers: 200,
      view: listed,
      run: async ({ domain, context }) => listed.json(await domain.keyPairs.list(context)),
    }),
    operation({
      name: 'ShowKeyPair',
      about: "One of the caller's keys.",
      method: 'GET',
      path: '/os-keypairs/:id',
      policy,
      answers: 200,
      view: shown,
      throws: ['KeypairNotFound'],
      run: async ({ domain, context, params }) => {
        const { name, public_key, fingerprint } = await domain.keyPairs.get(context, params.id);
        return shown.json({ name, public_key, fingerprint });
      },
    }),
    operation({
      name: 'CreateKeyPair',
      about: 'Keeps a public key, or makes a pair whose private half is in the answer and nowhere else.',
      method: 'POST',
      path: '/os-keypairs',
      policy,
      body: newKeyPair,
      answers: 200,
      view: shown,
      faults: {
        KeypairLimitExceeded: overLimitSaying('Quota exceeded, too many key pairs.'),
        InvalidKeypair: [400, INVALID],
        KeyPairExists: [409, ({ values }) => `Key pair '${values.key_name}' already exists.`],
      },
      run: async ({ domain, context, body: { keypair } }) =>
        shown.json(
          keypair.public_key === undefined
            ? await domain.keyPairs.make(context, keypair.name)
            : await domain.keyPairs.import(context, keypair.name, keypair.public_key),
        ),
    }),
    operation({
      name: 'DeleteKeyPair',
      about: "Deletes one of the caller's keys.",
      method: 'DELETE',
      path: '/os-keypairs/:id',
      policy,
      answers: 202,
      throws: ['KeypairNotFound'],
      run: async ({ domain, context, params }) => {
        await domain.keyPairs.delete(context, params.id);
        return bare();
      },
    }),
  ],
};
