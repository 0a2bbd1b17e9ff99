import { type Database, insertReturningId, softDeleteWhere, toSqlTime, updateWhere } from '@folsom/db';
import { novaFault } from './faults.ts';

/** Which guest agent of a hypervisor, system and architecture is current, and where it is. */
export interface AgentBuild {
  id: number;
  hypervisor: string;
  os: string;
  architecture: string;
  version: string;
  url: string;
  md5hash: string;
}

export type AgentTriple = Pick<AgentBuild, 'hypervisor' | 'os' | 'architecture'>;
export type AgentRelease = Pick<AgentBuild, 'version' | 'url' | 'md5hash'>;

export const listAgentBuilds = async (db: Database): Promise<AgentBuild[]> =>
  db.knex('agent_builds').where('deleted', 0).orderBy('id');

/** @throws Fault `AgentBuildNotFound` */
export async function agentBuildFor(db: Database, triple: AgentTriple): Promise<AgentBuild> {
  const row = await db
    .knex('agent_builds')
    .where({ ...triple, deleted: 0 })
    .first();
  if (row === undefined) {
    throw novaFault('AgentBuildNotFound', triple);
  }
  return row;
}

export const createAgentBuild = (
  db: Database,
  build: AgentTriple & AgentRelease,
  now: number,
): Promise<number> =>
  insertReturningId(db.knex, 'agent_builds', { ...build, deleted: 0, created_at: toSqlTime(now) });

export const updateAgentBuild = (
  db: Database,
  id: number,
  release: AgentRelease,
  now: number,
): Promise<number> =>
  updateWhere(db.knex, 'agent_builds', { id, deleted: 0 }, { ...release, updated_at: toSqlTime(now) });

export const deleteAgentBuild = (db: Database, id: number, now: number): Promise<number> =>
  softDeleteWhere(db.knex, 'agent_builds', { id }, now);
