import type { CatalogEntry } from '@folsom/auth';
import { isoSeconds } from '@folsom/core';
import { fault } from '../faults.ts';
import { listRevokedTokens } from '../repositories/tokens.ts';
import type { Token } from '../tokens/token.ts';
import type { Dependencies } from './dependencies.ts';
import { login } from './login.ts';
import { ADMIN, type Asked, BOTH, type Operation, objectOf, Reply } from './operation.ts';
import { tokenOfPath } from './token-in-path.ts';
import { accessView, validationText, validationView } from './token-view.ts';

/** Asks for the exact time of issue in a validation; sent by our own services. */
const ISSUED_AT_HEADER = 'x-token-issued-at';

export function tokenOperations(deps: Dependencies): Operation[] {
  const { db, tokens, catalog, pki, world } = deps;

  const catalogOf = (token: Pick<Token, 'user' | 'tenant'>): Promise<CatalogEntry[] | undefined> =>
    token.tenant === null ? Promise.resolve(undefined) : catalog.forToken(token.user.id, token.tenant.id);

  const tokenInPath = async (asked: Asked): Promise<Token> => {
    const id = tokenOfPath(asked.request.raw);
    const token = await tokens.find(id);
    if (!token) throw fault('TokenNotFound', { token_id: id });
    const { belongsTo } = asked.query;
    if (belongsTo && token.tenant?.id !== belongsTo) throw fault('Unauthorized');
    return token;
  };

  return [
    {
      name: 'authenticate',
      method: 'POST',
      path: '/tokens',
      ports: BOTH,
      access: 'anyone',
      body: { auth: 'object' },
      handle: async asked => {
        const facts = await login(deps, objectOf(asked, 'auth'));
        const entries = (await catalogOf(facts)) ?? [];
        const view = (id: string, issuedAt = false) =>
          accessView(facts, { id, roleIds: false, catalog: entries, issuedAt });
        const token = await tokens.issue(facts, issuedAt =>
          JSON.stringify(view('placeholder', issuedAt !== undefined)),
        );
        return view(token.id);
      },
    },
    {
      name: 'revocation_list',
      method: 'GET',
      path: '/tokens/revoked',
      ports: ADMIN,
      access: 'admin',
      handle: async () => {
        const revoked = await listRevokedTokens(db.knex, world.clock.now());
        const list = revoked.map(({ id, expiresAt }) => ({ expires: isoSeconds(expiresAt), id }));
        return { signed: await pki.signText(JSON.stringify({ revoked: list })) };
      },
    },
    {
      name: 'validate_token',
      method: 'GET',
      path: '/tokens/:token_id',
      ports: ADMIN,
      access: 'admin',
      handle: async asked => {
        const token = await tokenInPath(asked);
        const entries = await catalogOf(token);
        if (asked.request.headers[ISSUED_AT_HEADER] !== undefined)
          return validationView(token, entries, true);
        if (asked.request.headers.accept?.includes('application/xml')) return validationView(token, entries);
        return new Reply(200, { type: 'application/json', text: validationText(token, entries), vary: true });
      },
    },
    {
      name: 'validate_token_head',
      method: 'HEAD',
      path: '/tokens/:token_id',
      ports: ADMIN,
      access: 'admin',
      handle: async asked => {
        await tokenInPath(asked);
        return undefined;
      },
    },
    {
      name: 'delete_token',
      method: 'DELETE',
      path: '/tokens/:token_id',
      ports: ADMIN,
      access: 'admin',
      handle: async asked => {
        await tokens.revoke(tokenOfPath(asked.request.raw));
        return undefined;
      },
    },
    {
      name: 'token_endpoints',
      method: 'GET',
      path: '/tokens/:token_id/endpoints',
      ports: ADMIN,
      access: 'admin',
      handle: async asked => {
        const id = tokenOfPath(asked.request.raw);
        const token = await tokens.find(id);
        if (!token) throw fault('TokenNotFound', { token_id: id });
        const entries = await catalogOf(token);
        if (!entries || entries.length === 0) return {};
        return {
          endpoints: entries.flatMap(entry =>
            entry.endpoints.map(endpoint => ({ ...endpoint, name: entry.name, type: entry.type })),
          ),
          endpoints_links: [],
        };
      },
    },
  ];
}
