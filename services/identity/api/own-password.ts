import { pythonIso } from '@folsom/core';
import { isEnabled } from '../enabled.ts';
import { fault, missing } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { scopeFacts } from './login.ts';
import { operation, PUBLIC } from './operation.ts';
import { newPassword, optionalText, wrapped } from './shapes.ts';
import { changeUser } from './users.ts';

/** Changing one's own password with the old one. Ends every token of the user and gives a new one in return. */
export const ownPasswordOperations = [
  operation({
    name: 'set_own_password',
    about: "Changes the caller's password and gives a new token for the old one.",
    method: 'PATCH',
    path: '/OS-KSCRUD/users/:user_id',
    ports: PUBLIC,
    policy: null,
    // A token that is not good is not found here, and no reason to log in anew.
    public: true,
    body: wrapped('user', {
      original_password: optionalText(IDENTITY_LIMITS.passwordCharsMax),
      password: newPassword,
    }),
    answers: 200,
    throws: ['ValidationError', 'TokenNotFound', 'Forbidden', 'Unauthorized', 'Busy'],
    run: async ({ domain, context, params, body: { user: given } }) => {
      const { identities, tokens } = domain;
      const id = params.user_id;
      const token = context.tokenId ? await tokens.find(context.tokenId) : null;
      if (!token) throw fault('TokenNotFound', { token_id: context.tokenId ?? 'None' });
      const original = given.original_password ?? undefined;
      if (token.user.id !== id || original === undefined) throw fault('Forbidden');
      const user = await identities.findUser(id);
      const right = original !== '' && (await identities.verify(`id ${id}`, user, original));
      if (!right || user === null || !isEnabled(user.extra)) throw fault('Unauthorized');
      if (!given.password) throw missing('password', 'user');
      await changeUser(domain, id, { password: given.password });

      // What the old token said may have been taken away since: the new one says what is true now.
      const issuedAt = tokens.issueMoment();
      const now = await identities.findLogin({ userId: id, tenantId: token.tenant?.id });
      const gone = token.tenant !== null && !(now.tenant && now.grant.member && isEnabled(now.tenant.extra));
      if (!now.user || gone) throw fault('Unauthorized');
      const renewed = await tokens.issue({
        ...(await scopeFacts(domain, now.user, now.tenant, now.grant)),
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
  }),
];
