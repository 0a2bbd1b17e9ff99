import { elevated, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { powerState } from '@folsom/nova/instance-state';
import { refreshMembersOfGroups } from '@folsom/nova/security-group-members';
import {
  associateGroup,
  dissociateGroup,
  securityGroupById,
  securityGroupByName,
} from '@folsom/nova/security-groups';
import type { Deps } from './deps.ts';
import { targetOf } from './instances.ts';
import { authorize } from './policy.ts';
import { projectOf } from './security-groups.ts';

/**
 * The tenant's own, by its name, or by the number that today's clients send in its place.
 *
 * @throws Fault `SecurityGroupNotFoundForProject`; `SecurityGroupNotFound` for a number
 */
const ownGroup = (deps: Deps, context: RequestContext, named: string | number) =>
  typeof named === 'number'
    ? securityGroupById(deps.db.knex, named, projectOf(context))
    : securityGroupByName(deps.db.knex, projectOf(context), named);

/** @throws as {@link ownGroup}; Fault `SecurityGroupExistsForInstance`, `InstanceNotRunning` */
export async function addToInstance(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  named: string | number,
): Promise<void> {
  authorize(deps, context, 'compute:security_groups:add_to_instance', targetOf(instance));
  const group = await ownGroup(deps, context, named);
  if (instance.security_groups.some(other => other.id === group.id)) {
    throw novaFault('SecurityGroupExistsForInstance', {
      security_group_id: group.id,
      instance_id: instance.uuid,
    });
  }
  mustRun(instance);
  await associateGroup(deps.db.knex, instance.uuid, group.id, deps.clock.now());
  await refreshOn(deps, context, group.id, instance.host);
}

/** @throws as {@link ownGroup}; Fault `SecurityGroupNotExistsForInstance`, `InstanceNotRunning` */
export async function removeFromInstance(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  named: string | number,
): Promise<void> {
  authorize(deps, context, 'compute:security_groups:remove_from_instance', targetOf(instance));
  const group = await ownGroup(deps, context, named);
  const missing = () =>
    novaFault('SecurityGroupNotExistsForInstance', {
      security_group_id: group.id,
      instance_id: instance.uuid,
    });
  if (!instance.security_groups.some(other => other.id === group.id)) throw missing();
  mustRun(instance);
  if (!(await dissociateGroup(deps.db.knex, instance.uuid, group.id, deps.clock.now()))) throw missing();
  await refreshOn(deps, context, group.id, instance.host);
}

function mustRun(instance: InstanceRecord): void {
  if (instance.power_state !== powerState.running) {
    throw novaFault('InstanceNotRunning', { instance_id: instance.uuid });
  }
}

/** An instance joined or left a group: its own host, and those of guests that let the group's members in. */
async function refreshOn(deps: Deps, context: RequestContext, groupId: number, host: string | null) {
  const admin = elevated(context);
  if (host !== null)
    await deps.compute.refresh_security_group_rules(admin, { security_group_id: groupId }, { host });
  await refreshMembersOfGroups(deps, admin, [groupId]);
}
