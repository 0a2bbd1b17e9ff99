import Type from 'typebox';
import { fault, missing } from '../faults.ts';
import {
  createCredential,
  deleteCredential,
  type Ec2Credential,
  findCredential,
  listCredentialsOfUser,
} from '../repositories/ec2-credentials.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { BOTH, operation, SELF_OR_ADMIN } from './operation.ts';

const path = '/users/:user_id/credentials/OS-EC2';
const pairPath = '/users/:user_id/credentials/OS-EC2/:access';
const own = { ports: BOTH, policy: SELF_OR_ADMIN } as const;

/** A pair of the user in the path; somebody else's looks like one that does not exist. */
async function ownPair(
  { db, identities }: Dependencies,
  params: { user_id: string; access: string },
): Promise<Ec2Credential> {
  await identities.getUser(params.user_id);
  const credential = await findCredential(db.knex, params.access);
  if (!credential || credential.user_id !== params.user_id) throw fault('Unauthorized');
  return credential;
}

/** EC2 key pairs: of the caller's own, or of anybody's for administrators. User and tenant of a pair never change. */
export const ec2CredentialOperations = [
  operation({
    name: 'create_credential',
    about: "Makes a key pair for a user's requests in a tenant.",
    method: 'POST',
    path,
    ...own,
    body: Type.Object(
      { tenant_id: Type.String({ says: () => missing('tenant_id') }) },
      { additionalProperties: false },
    ),
    answers: 200,
    throws: ['UserNotFound', 'TenantNotFound'],
    run: async ({ domain: { db, identities, world }, params, body }) => {
      const user = await identities.getUser(params.user_id);
      const tenant = await identities.getTenant(body.tenant_id);
      const credential = {
        user_id: user.id,
        tenant_id: tenant.id,
        access: newId(world),
        secret: newId(world),
      };
      await createCredential(db.knex, credential);
      return { credential };
    },
  }),
  operation({
    name: 'get_credentials',
    about: "A user's key pairs.",
    method: 'GET',
    path,
    ...own,
    answers: 200,
    throws: ['UserNotFound'],
    run: async ({ domain: { db, identities }, params }) => {
      const user = await identities.getUser(params.user_id);
      return { credentials: await listCredentialsOfUser(db.knex, user.id) };
    },
  }),
  operation({
    name: 'get_credential',
    about: 'One key pair.',
    method: 'GET',
    path: pairPath,
    ...own,
    answers: 200,
    throws: ['UserNotFound', 'Unauthorized'],
    run: async ({ domain, params }) => ({ credential: await ownPair(domain, params) }),
  }),
  operation({
    name: 'delete_credential',
    about: 'Takes a key pair away.',
    method: 'DELETE',
    path: pairPath,
    ...own,
    answers: 204,
    throws: ['UserNotFound', 'Unauthorized'],
    run: async ({ domain, params }) => {
      const credential = await ownPair(domain, params);
      if (!(await deleteCredential(domain.db.knex, credential.access))) throw fault('Unauthorized');
      return undefined;
    },
  }),
];
