import { pythonIso } from '@folsom/core';
import { isEnabled } from '../enabled.ts';
import { fault, missing } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { findLogin } from '../repositories/login.ts';
import { findUser } from '../repositories/users.ts';
import type { Dependencies } from './dependencies.ts';
import { scopeFacts } from './login.ts';
import { type Operation, objectOf, PUBLIC } from './operation.ts';
import { textField } from './request-body.ts';
import { changeUser } from './users.ts';

/** Changing one's own password with the old one. Ends every token of the user and gives a new one in return. */
export function ownPasswordOperations(deps: Dependencies): Operation[] {
  const { db, tokens, passwords } = deps;
  return [
    {
      name: 'set_own_password',
      method: 'PATCH',
      path: '/OS-KSCRUD/users/:user_id',
      ports: PUBLIC,
      access: 'anyone',
      body: { user: 'object' },
      handle: async asked => {
        const id = asked.params.user_id!;
        const given = objectOf(asked, 'user');
        const token = asked.tokenId ? await tokens.find(asked.tokenId) : null;
        if (!token) throw fault('TokenNotFound', { token_id: asked.tokenId ?? 'None' });
        const original = textField(given, 'original_password', IDENTITY_LIMITS.passwordCharsMax);
        if (token.user.id !== id || original === undefined) throw fault('Forbidden');
        const user = await findUser(db.knex, id);
        const right = original !== '' && (await passwords.verify(`id ${id}`, user, original));
        if (!right || user === null || !isEnabled(user.extra)) throw fault('Unauthorized');
        const password = textField(given, 'password', IDENTITY_LIMITS.passwordCharsMax);
        if (!password) throw missing('password', 'user');
        await changeUser(deps, id, { password });

        // What the old token said may have been taken away since: the new one says what is true now.
        const issuedAt = tokens.issueMoment();
        const now = await findLogin(db.knex, { userId: id, tenantId: token.tenant?.id });
        const gone =
          token.tenant !== null && !(now.tenant && now.grant.member && isEnabled(now.tenant.extra));
        if (!now.user || gone) throw fault('Unauthorized');
        const renewed = await tokens.issue({
          ...(await scopeFacts(deps, now.user, now.tenant, now.grant)),
          issuedAt,
          expiresAt: token.expiresAt,
        });
        return {
          access: {
            token: {
              id: renewed.id,
              key: token.id,
              expires: pythonIso(renewed.expiresAt),
              user: renewed.user,
              tenant: renewed.tenant,
              metadata: renewed.metadata,
            },
          },
        };
      },
    },
  ];
}
