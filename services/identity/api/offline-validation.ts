import type { Dependencies } from './dependencies.ts';
import { ADMIN, BOTH, type Operation } from './operation.ts';

/** How many seconds back a list reaches beyond what was asked: transactions end later than their time says. */
const OVERLAP_MS = 5_000;

/** Our own addition: what services need to check signed tokens by themselves. */
export function validationOperations({ revocations, publicKeys, catalog, world }: Dependencies): Operation[] {
  return [
    {
      name: 'get_token_keys',
      method: 'GET',
      path: '/OS-FOLSOM/token-keys',
      ports: BOTH,
      access: 'anyone',
      handle: () => ({
        keys: Object.entries(publicKeys()).map(([kid, pem]) => ({ kid, pem })),
      }),
    },
    {
      name: 'get_catalog_endpoints',
      method: 'GET',
      path: '/OS-FOLSOM/endpoints',
      ports: ADMIN,
      access: 'admin',
      handle: async () => ({ endpoints: await catalog.endpoints() }),
    },
    {
      name: 'get_revocations',
      method: 'GET',
      path: '/OS-FOLSOM/revocations',
      ports: ADMIN,
      access: 'admin',
      handle: asked => {
        const since = Number(asked.query.since ?? 0);
        const from = Number.isFinite(since) ? since - OVERLAP_MS : 0;
        return { revocations: { now: world.clock.now(), list: revocations.since(from) } };
      },
    },
  ];
}
