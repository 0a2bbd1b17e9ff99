import {
  type AgentBuild,
  type AgentRelease,
  type AgentTriple,
  agentBuildFor,
  createAgentBuild,
  deleteAgentBuild,
  listAgentBuilds,
  updateAgentBuild,
} from '@folsom/nova/agent-builds';
import type { OperatorDeps } from './deps.ts';

/** Every build that guests' agents are updated to. */
export const list = ({ db }: OperatorDeps): Promise<AgentBuild[]> => listAgentBuilds(db);

export async function create({ db, clock }: OperatorDeps, build: AgentTriple & AgentRelease): Promise<void> {
  await createAgentBuild(db, build, clock.now());
}

/** @throws Fault `AgentBuildNotFound` */
export async function change({ db, clock }: OperatorDeps, of: AgentTriple, to: AgentRelease): Promise<void> {
  const { id } = await agentBuildFor(db, of);
  await updateAgentBuild(db, id, to, clock.now());
}

/** @throws Fault `AgentBuildNotFound` */
export async function remove({ db, clock }: OperatorDeps, of: AgentTriple): Promise<void> {
  const { id } = await agentBuildFor(db, of);
  await deleteAgentBuild(db, id, clock.now());
}
