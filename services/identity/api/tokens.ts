import type { CatalogEntry } from '@folsom/auth';
import { isoSeconds } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import Type from 'typebox';
import { fault } from '../faults.ts';
import { listRevokedTokens } from '../repositories/tokens.ts';
import type { Token } from '../tokens/token.ts';
import type { Caller } from './caller.ts';
import type { Dependencies } from './dependencies.ts';
import { authShape, login } from './login.ts';
import { BOTH, forAdmins, operation } from './operation.ts';
import { wrapped } from './shapes.ts';
import { accessView, validationText, validationView } from './token-view.ts';

const catalogOf = (
  { catalog }: Dependencies,
  token: Pick<Token, 'user' | 'tenant'>,
): Promise<CatalogEntry[] | undefined> =>
  token.tenant === null ? Promise.resolve(undefined) : catalog.forToken(token.user.id, token.tenant.id);

async function tokenInPath({ tokens }: Dependencies, { tokenInPath: id }: Caller): Promise<Token> {
  const token = await tokens.find(id);
  if (!token) throw fault('TokenNotFound', { token_id: id });
  return token;
}

/** The tenant that a validated token must be for. */
const belonging = Type.Object({ belongsTo: Type.Optional(Type.String()) });

async function validated(
  domain: Dependencies,
  caller: Caller,
  { belongsTo }: { belongsTo?: string },
): Promise<Token> {
  const token = await tokenInPath(domain, caller);
  if (belongsTo && token.tenant?.id !== belongsTo) throw fault('Unauthorized');
  return token;
}

export const tokenOperations = [
  operation({
    name: 'authenticate',
    about: 'A token for name and password, or for another token.',
    method: 'POST',
    path: '/tokens',
    ports: BOTH,
    policy: null,
    public: true,
    body: wrapped('auth', authShape),
    answers: 200,
    throws: ['ValidationError', 'ValidationSizeError', 'Unauthorized', 'TenantNotFound', 'Busy'],
    run: async ({ domain, body }) => {
      const facts = await login(domain, body.auth);
      const entries = (await catalogOf(domain, facts)) ?? [];
      const view = (id: string, issuedAt = false) =>
        accessView(facts, { id, roleIds: false, catalog: entries, issuedAt });
      const token = await domain.tokens.issue(facts, issuedAt =>
        JSON.stringify(view('placeholder', issuedAt !== undefined)),
      );
      return view(token.id);
    },
  }),
  operation({
    name: 'revocation_list',
    about: 'The revoked tokens, signed.',
    method: 'GET',
    path: '/tokens/revoked',
    ...forAdmins,
    answers: 200,
    throws: ['NotImplemented'],
    run: async ({ domain: { db, world, pki } }) => {
      const revoked = await listRevokedTokens(db.knex, world.clock.now());
      const list = revoked.map(({ id, expiresAt }) => ({ expires: isoSeconds(expiresAt), id }));
      return { signed: await pki.signText(JSON.stringify({ revoked: list })) };
    },
  }),
  operation({
    name: 'validate_token',
    about: 'What a token stands for.',
    method: 'GET',
    path: '/tokens/:token_id',
    ...forAdmins,
    query: belonging,
    answers: 200,
    throws: ['TokenNotFound', 'Unauthorized'],
    run: async ({ domain, context, query }) => {
      const token = await validated(domain, context, query);
      const entries = await catalogOf(domain, token);
      if (context.wantsIssuedAt) return validationView(token, entries, true);
      if (context.wantsXml) return validationView(token, entries);
      return answer({
        bytes: validationText(token, entries),
        type: 'application/json',
        headers: { vary: 'X-Auth-Token' },
      });
    },
  }),
  operation({
    name: 'validate_token_head',
    about: 'Whether a token is good.',
    method: 'HEAD',
    path: '/tokens/:token_id',
    ...forAdmins,
    query: belonging,
    answers: 204,
    throws: ['TokenNotFound', 'Unauthorized'],
    run: async ({ domain, context, query }) => {
      await validated(domain, context, query);
      return undefined;
    },
  }),
  operation({
    name: 'delete_token',
    about: 'Ends a token.',
    method: 'DELETE',
    path: '/tokens/:token_id',
    ...forAdmins,
    answers: 204,
    throws: ['TokenNotFound'],
    run: async ({ domain: { tokens }, context }) => {
      await tokens.revoke(context.tokenInPath);
      return undefined;
    },
  }),
  operation({
    name: 'token_endpoints',
    about: "The endpoints in a token's catalog.",
    method: 'GET',
    path: '/tokens/:token_id/endpoints',
    ...forAdmins,
    answers: 200,
    throws: ['TokenNotFound'],
    run: async ({ domain, context }) => {
      const entries = await catalogOf(domain, await tokenInPath(domain, context));
      if (!entries || entries.length === 0) return {};
      return {
        endpoints: entries.flatMap(entry =>
          entry.endpoints.map(endpoint => ({ ...endpoint, name: entry.name, type: entry.type })),
        ),
        endpoints_links: [],
      };
    },
  }),
];
