import { type Database, toSqlTime, updateWhere } from '@folsom/db';
import { networkFault } from './network-faults.ts';

export interface ProjectNetwork {
  id: number;
  cidr: string | null;
}

/** Networks that belong to a project. */
export const networksOfProject = async (db: Database, projectId: string): Promise<ProjectNetwork[]> =>
  db.knex('networks').where({ deleted: 0, project_id: projectId }).orderBy('id').select('id', 'cidr');

/** Gives the first network that belongs to nobody to a project. @throws Fault `NoMoreNetworks` */
export async function takeNetworkForProject(
  db: Database,
  projectId: string,
  now: number,
): Promise<ProjectNetwork> {
  const free: ProjectNetwork[] = await db
    .knex('networks')
    .where('deleted', 0)
    .whereNull('project_id')
    .orderBy('id')
    .select('id', 'cidr');
  for (const network of free) {
    const change = { project_id: projectId, updated_at: toSqlTime(now) };
    const mine = await updateWhere(
      db.knex,
      'networks',
      { id: network.id, project_id: null, deleted: 0 },
      change,
    );
    if (mine === 1) return network;
  }
  throw networkFault('NoMoreNetworks');
}
