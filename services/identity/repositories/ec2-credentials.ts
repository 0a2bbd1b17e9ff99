import type { Knex } from '@folsom/db';

export interface Ec2Credential {
  access: string;
  secret: string;
  user_id: string;
  tenant_id: string;
}

const COLUMNS = ['access', 'secret', 'user_id', 'tenant_id'] as const;

export async function findCredential(knex: Knex, access: string): Promise<Ec2Credential | null> {
  return (
    (await knex<Ec2Credential>('ec2_credential')
      .where({ access })
      .first(...COLUMNS)) ?? null
  );
}

export async function listCredentialsOfUser(knex: Knex, userId: string): Promise<Ec2Credential[]> {
  return knex<Ec2Credential>('ec2_credential')
    .where({ user_id: userId })
    .select(...COLUMNS);
}

export async function createCredential(knex: Knex, credential: Ec2Credential): Promise<void> {
  await knex('ec2_credential').insert(credential);
}

export async function deleteCredential(knex: Knex, access: string): Promise<boolean> {
  return (await knex('ec2_credential').where({ access }).delete()) > 0;
}
