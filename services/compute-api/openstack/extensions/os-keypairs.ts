import { deleteKeyPair, keyPairByName, listKeyPairs } from '@folsom/nova/keypairs';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { importKeyPair, makeKeyPair } from '../../domain/keypairs.ts';
import { empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, conflict, notFound, tooLarge, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { entity, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/keypairs/api/v1.1';

const child = (tag: string): XmlTemplate => ({ tag, at: tag, text: '' });
const xml: XmlTemplate = {
  tag: 'keypair',
  at: 'keypair',
  children: ['public_key', 'private_key', 'name', 'fingerprint', 'user_id'].map(child),
};

export const extension: Extension = {
  alias: 'os-keypairs',
  name: 'Keypairs',
  namespace: NAMESPACE,
  updated: '2011-08-08T00:00:00+00:00',
  description: 'Keypair Support',
  server: (_deps, view, instance) => {
    view.key_name = instance.key_name;
  },
  xml: { server: { attributes: { key_name: 'key_name' } } },
  resources: [
    {
      path: 'os-keypairs',
      index: {
        xml: {
          tag: 'keypairs',
          children: [
            {
              tag: 'keypair',
              at: ({ keypairs }: { keypairs: { keypair: object }[] }) => keypairs.map(item => item.keypair),
              children: ['name', 'fingerprint', 'public_key'].map(child),
            },
          ],
        },
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'keypairs');
          const keys = await listKeyPairs(api.deps.db.knex, api.context.userId ?? '');
          return ok({
            keypairs: keys.map(({ name, public_key, fingerprint }) => ({
              keypair: { name, public_key, fingerprint },
            })),
          });
        },
      },
      show: {
        xml,
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'keypairs');
          const { name, public_key, fingerprint } = await keyPairByName(
            api.deps.db.knex,
            api.context.userId ?? '',
            param(api, 'id'),
          );
          return ok({ keypair: { name, public_key, fingerprint } });
        },
      },
      create: {
        xml,
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'keypairs');
          const body = entity(api.body, 'keypair');
          if (!body || !('name' in body)) throw badRequest('Invalid request body');
          const keypair = await translating(
            {
              KeypairLimitExceeded: () => tooLarge('Quota exceeded, too many key pairs.', 0),
              InvalidKeypair: () => badRequest('Keypair data is invalid'),
              KeyPairExists: () => conflict(`Key pair '${body.name}' already exists.`),
            },
            () =>
              'public_key' in body
                ? importKeyPair(api.deps, api.context, body.name, body.public_key)
                : makeKeyPair(api.deps, api.context, body.name),
          );
          return ok({ keypair });
        },
      },
      delete: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'keypairs');
          await translating({ KeypairNotFound: () => notFound() }, () =>
            deleteKeyPair(api.deps.db.knex, api.context.userId ?? '', param(api, 'id'), api.deps.clock.now()),
          );
          return empty();
        },
      },
    },
  ],
};
