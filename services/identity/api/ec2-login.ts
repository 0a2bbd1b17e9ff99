import Type from 'typebox';
import { missing } from '../faults.ts';
import { ec2Credentials, s3Credentials } from '../signed-request.ts';
import type { Token } from '../tokens/token.ts';
import type { Caller } from './caller.ts';
import type { Dependencies } from './dependencies.ts';
import { ADMIN, BOTH, operation } from './operation.ts';
import { accessView } from './token-view.ts';

async function answered({ catalog }: Dependencies, token: Token): Promise<object> {
  const entries = token.tenant ? await catalog.forToken(token.user.id, token.tenant.id) : [];
  return accessView(token, { id: token.id, roleIds: true, catalog: entries });
}

/** Whoever saw a signed request could otherwise trade it for a token: only services may ask. */
const onlyServices = async ({ ec2, authorize }: Dependencies, caller: Caller): Promise<void> => {
  if (ec2.requireServiceCaller) await authorize.admin(caller);
};

/** The credentials under either name. */
function given<T>(body: { credentials?: T | null; ec2Credentials?: T | null }): T {
  const credentials = body.credentials ?? body.ec2Credentials;
  if (credentials === undefined || credentials === null) throw missing('credentials');
  return credentials;
}

const shared = { method: 'POST', policy: null, public: true, answers: 200 } as const;

/** Tokens for signed requests: EC2 (on both ports) and S3 (admin port). */
export const signedLoginOperations = [
  operation({
    name: 'ec2_authenticate',
    about: 'A token for a signed EC2 request.',
    ...shared,
    path: '/ec2tokens',
    ports: BOTH,
    body: Type.Object(
      {
        credentials: Type.Optional(Type.Union([Type.Null(), ec2Credentials])),
        ec2Credentials: Type.Optional(Type.Union([Type.Null(), ec2Credentials])),
      },
      { additionalProperties: false },
    ),
    throws: ['ValidationError', 'Unauthorized', 'ForbiddenAction'],
    run: async ({ domain, context, body }) => {
      await onlyServices(domain, context);
      return answered(domain, await domain.signed.ec2(given(body)));
    },
  }),
  operation({
    name: 's3_authenticate',
    about: 'A token for a signed S3 request.',
    ...shared,
    path: '/s3tokens',
    ports: ADMIN,
    body: Type.Object(
      {
        credentials: Type.Optional(Type.Union([Type.Null(), s3Credentials])),
        ec2Credentials: Type.Optional(Type.Union([Type.Null(), s3Credentials])),
      },
      { additionalProperties: false },
    ),
    throws: ['ValidationError', 'Unauthorized', 'ForbiddenAction'],
    run: async ({ domain, context, body }) => {
      await onlyServices(domain, context);
      return answered(domain, await domain.signed.s3(given(body)));
    },
  }),
];
