import { disassociateNetwork } from '@folsom/nova/networks';
import { networksOfProject } from '@folsom/nova/project-networks';
import {
  defaultLimits,
  type Limits,
  limitsOf,
  QUOTA_RESOURCES,
  type QuotaResource,
  setLimit,
} from '@folsom/nova/quotas';
import { deleteSecurityGroup, listSecurityGroups } from '@folsom/nova/security-groups';
import type { OperatorDeps } from './deps.ts';

const INT_MAX = 2 ** 31 - 1;

/** What a project may have of everything, in the order of the quotas; below 0 is without limit. */
export async function quotas(
  { db, config }: OperatorDeps,
  projectId: string,
): Promise<[QuotaResource, number][]> {
  const limits: Limits = await limitsOf(db.knex, projectId, defaultLimits(config));
  return QUOTA_RESOURCES.map(name => [name, limits[name]]);
}

/** @throws where the limit is none */
export async function setQuota(
  { db, clock }: OperatorDeps,
  projectId: string,
  resource: QuotaResource,
  limit: number,
): Promise<void> {
  if (limit < -1 || limit > INT_MAX) throw new Error(`quota limit must be between -1 and ${INT_MAX}`);
  await db.transaction(trx => setLimit(trx, projectId, resource, limit, clock.now()));
}

/** Gives back a project's networks and deletes its security groups. */
export async function scrub({ db, clock }: OperatorDeps, projectId: string): Promise<void> {
  const now = clock.now();
  for (const { id } of await networksOfProject(db, projectId)) await disassociateNetwork(db, id, now);
  await db.transaction(async trx => {
    for (const { id } of await listSecurityGroups(trx, projectId)) await deleteSecurityGroup(trx, id, now);
  });
}
