import type { Policy } from '@folsom/policy';
import { fault } from '../faults.ts';
import type { Token } from '../tokens/token.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Caller } from './caller.ts';

export interface Authorize {
  /** The caller's token, 401 without a valid one. */
  bearer(caller: Caller): Promise<Token>;
  /** Throws 401 or 403 unless the caller is an administrator. */
  admin(caller: Caller): Promise<void>;
  /** Throws 401 or 403 unless the caller is that user or an administrator. */
  selfOrAdmin(caller: Caller, userId: string | undefined): Promise<void>;
}

export function authorization(tokens: Tokens, policy: Policy): Authorize {
  const bearer = async (caller: Caller): Promise<Token> => {
    if (caller.token) return caller.token;
    const token = caller.tokenId ? await tokens.find(caller.tokenId) : null;
    if (!token) throw fault('Unauthorized');
    caller.line.tenantId = token.tenant?.id ?? null;
    caller.token = token;
    return token;
  };
  /** A caller without a valid scoped token gets 401. */
  const isAdmin = async (caller: Caller): Promise<boolean> => {
    if (caller.bootstrap) return true;
    const token = await bearer(caller);
    if (!token.tenant) throw fault('Unauthorized');
    return policy.check(
      'admin_required',
      {},
      {
        ...token.metadata,
        roles: token.roles.map(role => role.name),
        user_id: token.user.id,
        tenant_id: token.tenant.id,
      },
    );
  };
  return {
    bearer,
    admin: async caller => {
      if (!(await isAdmin(caller))) throw fault('ForbiddenAction', { action: 'admin_required' });
    },
    selfOrAdmin: async (caller, userId) => {
      if (await isAdmin(caller)) return;
      if ((await bearer(caller)).user.id !== userId) throw fault('Forbidden');
    },
  };
}
