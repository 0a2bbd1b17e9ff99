import type { SignedLogin } from '../signed-request.ts';
import type { Token } from '../tokens/token.ts';
import type { Dependencies } from './dependencies.ts';
import { ADMIN, type Asked, BOTH, type Operation } from './operation.ts';
import { accessView } from './token-view.ts';

/** Tokens for signed requests: EC2 (on both ports) and S3 (admin port). */
export function signedLoginOperations(deps: Dependencies): Operation[] {
  const { catalog, authorize, ec2, signed } = deps;

  const answer = async (asked: Asked, login: SignedLogin['ec2']) => {
    // Whoever saw a signed request could otherwise trade it for a token: only services may ask.
    if (ec2.requireServiceCaller) await authorize.admin(asked);
    const token: Token = await login(asked.body.credentials ?? asked.body.ec2Credentials);
    const entries = token.tenant ? await catalog.forToken(token.user.id, token.tenant.id) : [];
    return accessView(token, { id: token.id, roleIds: true, catalog: entries });
  };

  const shared = {
    method: 'POST',
    access: 'anyone',
    body: { credentials: 'optional', ec2Credentials: 'optional' },
  } as const;
  return [
    {
      name: 'ec2_authenticate',
      ...shared,
      path: '/ec2tokens',
      ports: BOTH,
      handle: asked => answer(asked, signed.ec2),
    },
    {
      name: 's3_authenticate',
      ...shared,
      path: '/s3tokens',
      ports: ADMIN,
      handle: asked => answer(asked, signed.s3),
    },
  ];
}
