import type { Policy } from '@folsom/policy';
import { fault } from '../faults.ts';
import type { Token } from '../tokens/token.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Asked } from './operation.ts';

export interface Authorize {
  /** The caller's token, 401 without a valid one. */
  bearer(asked: Asked): Promise<Token>;
  /** Throws 401 or 403 unless the caller is an administrator. */
  admin(asked: Asked): Promise<void>;
  /** False instead of 403; a caller without a valid scoped token still gets 401. */
  isAdmin(asked: Asked): Promise<boolean>;
}

export function authorization(tokens: Tokens, policy: Policy): Authorize {
  const bearer = async (asked: Asked): Promise<Token> => {
    const token = asked.tokenId ? await tokens.find(asked.tokenId) : null;
    if (!token) throw fault('Unauthorized');
    asked.request.tenantId = token.tenant?.id ?? null;
    return token;
  };
  const isAdmin = async (asked: Asked): Promise<boolean> => {
    if (asked.bootstrap) return true;
    const token = await bearer(asked);
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
    isAdmin,
    admin: async asked => {
      if (!(await isAdmin(asked))) throw fault('ForbiddenAction', { action: 'admin_required' });
    },
  };
}
