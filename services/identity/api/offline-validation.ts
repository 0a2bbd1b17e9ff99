import type { RevocationList } from '@folsom/auth';
import type { Clock } from '@folsom/core';
import Type from 'typebox';
import { ADMIN, BOTH, forAdmins, operation } from './operation.ts';

/** How many seconds back a list reaches beyond what was asked: transactions end later than their time says. */
const OVERLAP_MS = 5_000;

/** How long a request waits for news: well below the time after which nobody trusts an old list. */
const HOLD_MS = 4_000;

/** Resolves at the next news, or when it has waited long enough. */
const newsOf = (revocations: RevocationList, clock: Clock): Promise<void> =>
  new Promise(resolve => {
    const forget = revocations.whenChanged(() => {
      late.cancel();
      resolve();
    });
    const late = clock.after(HOLD_MS, () => {
      forget();
      resolve();
    });
  });

/** Milliseconds since the epoch; whatever is none asks for everything. */
const moment = Type.Decode(Type.String(), value => (/^\d{1,16}(\.\d+)?$/.test(value) ? Number(value) : null));

/** Our own addition: what services need to check signed tokens by themselves. */
export const validationOperations = [
  operation({
    name: 'get_token_keys',
    about: 'The public keys of signed tokens.',
    method: 'GET',
    path: '/OS-FOLSOM/token-keys',
    ports: BOTH,
    policy: null,
    public: true,
    answers: 200,
    run: ({ domain: { publicKeys } }) => ({
      keys: Object.entries(publicKeys()).map(([kid, pem]) => ({ kid, pem })),
    }),
  }),
  operation({
    name: 'get_catalog_endpoints',
    about: 'The endpoints of the catalog, for services.',
    method: 'GET',
    path: '/OS-FOLSOM/endpoints',
    ...forAdmins,
    answers: 200,
    run: async ({ domain: { catalog } }) => ({ endpoints: await catalog.endpoints() }),
  }),
  operation({
    name: 'get_revocations',
    about:
      'Tokens that were revoked since a moment. With the `state` of an answer before it waits, for some seconds, until there is news.',
    method: 'GET',
    path: '/OS-FOLSOM/revocations',
    ports: ADMIN,
    policy: 'admin_required',
    query: Type.Object({ since: Type.Optional(moment), state: Type.Optional(Type.String()) }),
    answers: 200,
    run: async ({ domain: { world, revocations }, query: { since = 0, state: known } }) => {
      if (known === revocations.state) await newsOf(revocations, world.clock);
      const from = since === null ? 0 : since - OVERLAP_MS;
      const { state } = revocations;
      return { revocations: { now: world.clock.now(), state, list: revocations.since(from) } };
    },
  }),
];
