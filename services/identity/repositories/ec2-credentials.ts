import type { Knex } from '@folsom/db';

export interface Ec2Credential {
  access: string;
  secret: string;
  user_id: string;
  tenant_id: string;
}

const COLUMNS = ['access', 'secret', 'user_id', 'tenant_id'] as const;

/**
 * The column holds no more. Keys taken over from an old nova (`TENANT:KEY`) are longer: on SQLite they stand as they are, on
 * MySQL they are cut, and both are found by what their users know.
 */
const ACCESS_CHARS_MAX = 64;
const storedForms = (access: string): string[] => [access, access.slice(0, ACCESS_CHARS_MAX)];

export async function findCredential(knex: Knex, access: string): Promise<Ec2Credential | null> {
  const found: Ec2Credential[] = await knex<Ec2Credential>('ec2_credential')
    .whereIn('access', storedForms(access))
    .select(...COLUMNS);
  return found.find(credential => credential.access === access) ?? found[0] ?? null;
}

export async function listCredentialsOfUser(knex: Knex, userId: string): Promise<Ec2Credential[]> {
  return knex<Ec2Credential>('ec2_credential')
    .where({ user_id: userId })
    .select(...COLUMNS);
}

export async function createCredential(knex: Knex, credential: Ec2Credential): Promise<void> {
  await knex('ec2_credential').insert({
    ...credential,
    access: credential.access.slice(0, ACCESS_CHARS_MAX),
  });
}

export async function deleteCredential(knex: Knex, access: string): Promise<boolean> {
  return (await knex('ec2_credential').where({ access }).delete()) > 0;
}
