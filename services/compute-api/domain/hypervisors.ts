import { isFault, type RequestContext } from '@folsom/core';
import {
  COUNTED,
  type ComputeNode,
  type ComputeNodeStatistics,
  computeNodeById,
  computeNodeStatistics,
  listComputeNodes,
  searchComputeNodes,
} from '@folsom/nova/compute-nodes';
import { instanceName } from '@folsom/nova/instance-records';
import { instancesOnHosts } from '@folsom/nova/instance-usage';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { rowId } from './values.ts';

export type { ComputeNode, ComputeNodeStatistics };
export { COUNTED };

export const allHypervisors = (deps: Deps, _context: RequestContext): Promise<ComputeNode[]> =>
  listComputeNodes(deps.db.knex);

export const hypervisorStatistics = (deps: Deps, _context: RequestContext): Promise<ComputeNodeStatistics> =>
  computeNodeStatistics(deps.db.knex);

/** @throws Fault `HypervisorNotFound` */
export async function getHypervisor(deps: Deps, _context: RequestContext, id: string): Promise<ComputeNode> {
  const row = rowId(id);
  const missing = () => computeFault('HypervisorNotFound', { id });
  if (row === undefined) throw missing();
  try {
    return await computeNodeById(deps.db.knex, row);
  } catch (error) {
    throw isFault(error, 'ComputeHostNotFound') ? missing() : error;
  }
}

/** Those whose name has the text in it. @throws Fault `NoHypervisorMatches` */
export async function searchHypervisors(
  deps: Deps,
  _context: RequestContext,
  match: string,
): Promise<ComputeNode[]> {
  const nodes = await searchComputeNodes(deps.db.knex, match);
  if (nodes.length === 0) throw computeFault('NoHypervisorMatches', { match });
  return nodes;
}

/** What the host itself says. @throws Fault `HypervisorNotFound`, `UptimeNotImplemented` */
export async function hypervisorUptime(
  deps: Deps,
  context: RequestContext,
  id: string,
): Promise<{ node: ComputeNode; uptime: string }> {
  const node = await getHypervisor(deps, context, id);
  const host = node.service?.host ?? node.hypervisor_hostname ?? '';
  try {
    return { node, uptime: await deps.compute.get_host_uptime(context, {}, { host }) };
  } catch (error) {
    throw isFault(error, 'NotImplementedError') ? computeFault('UptimeNotImplemented') : error;
  }
}

export interface HypervisorServers {
  node: ComputeNode;
  servers: { uuid: string; name: string }[];
}

/** The matching hypervisors with their guests: one query for all of them. @throws Fault `NoHypervisorMatches` */
export async function serversOfHypervisors(
  deps: Deps,
  context: RequestContext,
  match: string,
): Promise<HypervisorServers[]> {
  const nodes = await searchHypervisors(deps, context, match);
  const hosts = nodes.flatMap(node => (node.service ? [node.service.host] : []));
  const byHost = await instancesOnHosts(deps.db.knex, hosts);
  const template = deps.config.instance_name_template;
  return nodes.map(node => ({
    node,
    servers: (byHost.get(node.service?.host ?? '') ?? []).map(server => ({
      uuid: server.uuid,
      name: instanceName(template, server),
    })),
  }));
}
