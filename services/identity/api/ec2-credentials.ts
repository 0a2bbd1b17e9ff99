import { fault, missing } from '../faults.ts';
import {
  createCredential,
  deleteCredential,
  type Ec2Credential,
  findCredential,
  listCredentialsOfUser,
} from '../repositories/ec2-credentials.ts';
import { getTenant } from '../repositories/tenants.ts';
import { getUser } from '../repositories/users.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { type Asked, BOTH, type Operation } from './operation.ts';

/** EC2 key pairs: of the caller's own, or of anybody's for administrators. User and tenant of a pair never change. */
export function ec2CredentialOperations(deps: Dependencies): Operation[] {
  const { db, world, authorize } = deps;
  const open = { ports: BOTH, access: 'anyone' } as const;
  const path = '/users/:user_id/credentials/OS-EC2';

  /** Throws unless the caller is the user of the path, or an administrator. */
  const assertSelfOrAdmin = async (asked: Asked): Promise<void> => {
    if (await authorize.isAdmin(asked)) return;
    const token = await authorize.bearer(asked);
    if (token.user.id !== asked.params.user_id) throw fault('Forbidden');
  };

  /** A pair of the user in the path; somebody else's looks like one that does not exist. */
  const ownPair = async (asked: Asked): Promise<Ec2Credential> => {
    const credential = await findCredential(db.knex, asked.params.access!);
    if (!credential || credential.user_id !== asked.params.user_id) throw fault('Unauthorized');
    return credential;
  };

  return [
    {
      name: 'create_credential',
      method: 'POST',
      path,
      ...open,
      body: { tenant_id: 'optional' },
      handle: async asked => {
        await assertSelfOrAdmin(asked);
        const tenantId = asked.body.tenant_id;
        if (typeof tenantId !== 'string') throw missing('tenant_id');
        const user = await getUser(db.knex, asked.params.user_id!);
        const tenant = await getTenant(db.knex, tenantId);
        const credential = {
          user_id: user.id,
          tenant_id: tenant.id,
          access: newId(world),
          secret: newId(world),
        };
        await createCredential(db.knex, credential);
        return { credential };
      },
    },
    {
      name: 'get_credentials',
      method: 'GET',
      path,
      ...open,
      handle: async asked => {
        await assertSelfOrAdmin(asked);
        const user = await getUser(db.knex, asked.params.user_id!);
        return { credentials: await listCredentialsOfUser(db.knex, user.id) };
      },
    },
    {
      name: 'get_credential',
      method: 'GET',
      path: `${path}/:access`,
      ...open,
      handle: async asked => {
        await assertSelfOrAdmin(asked);
        await getUser(db.knex, asked.params.user_id!);
        return { credential: await ownPair(asked) };
      },
    },
    {
      name: 'delete_credential',
      method: 'DELETE',
      path: `${path}/:access`,
      ...open,
      handle: async asked => {
        await assertSelfOrAdmin(asked);
        await getUser(db.knex, asked.params.user_id!);
        const credential = await ownPair(asked);
        if (!(await deleteCredential(db.knex, credential.access))) throw fault('Unauthorized');
        return undefined;
      },
    },
  ];
}
