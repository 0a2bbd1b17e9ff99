import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { type InstanceRecord, instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import type { InstanceWire } from '@folsom/nova/rpc/wire';
import type { Deps } from './deps.ts';
import { authorize, visibleProject } from './policy.ts';
import { isUuidLike } from './values.ts';

/**
 * The one lookup of an instance for every front end: by uuid, within the caller's tenant, and only what policy lets the
 * caller see.
 *
 * @throws Fault `InstanceNotFound`
 */
export async function getInstance(deps: Deps, context: RequestContext, id: string): Promise<InstanceRecord> {
  if (!isUuidLike(id)) throw novaFault('InstanceNotFound', { instance_id: id });
  const record = await instanceRecord(deps.db.knex, id, { projectId: visibleProject(context) });
  authorize(deps, context, 'compute:get', targetOf(record));
  return record;
}

/** What policy rules compare the caller with. */
export const targetOf = (instance: { project_id: string | null; user_id: string | null }) => ({
  project_id: instance.project_id,
  user_id: instance.user_id,
});

/** The instance as messages carry it. */
export const wireOf = (deps: Deps, record: InstanceRecord): InstanceWire =>
  instanceWire(record, deps.config.instance_name_template);

export { instanceName } from '@folsom/nova/instance-records';
export { vmState } from '@folsom/nova/instance-state';
