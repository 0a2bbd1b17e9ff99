import type { RequestContext } from '@folsom/core';
import { sqlSeconds } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import type { Deps } from './deps.ts';

interface States {
  vm_state: string | null;
  task_state: string | null;
}

/** Says `compute.instance.update` where the operator asked for it (notify_on_state_change, notify_on_any_change). */
export async function notifyUpdate(
  deps: Deps,
  context: RequestContext,
  record: InstanceRecord,
  before: States,
): Promise<void> {
  const { notify_on_any_change: any, notify_on_state_change: states } = deps.config;
  if (deps.config.notification_driver.length === 0) return;
  const vmChanged = before.vm_state !== record.vm_state;
  const taskChanged = before.task_state !== record.task_state;
  const wanted =
    any ||
    (states === 'vm_state' && vmChanged) ||
    (states === 'vm_and_task_state' && (vmChanged || taskChanged));
  if (!wanted) return;
  const payload = {
    tenant_id: record.project_id,
    user_id: record.user_id,
    instance_id: record.uuid,
    display_name: record.display_name,
    reservation_id: record.reservation_id,
    instance_type: record.flavor.name,
    instance_type_id: record.instance_type_id,
    architecture: record.architecture,
    memory_mb: record.memory_mb,
    disk_gb: record.root_gb + record.ephemeral_gb,
    vcpus: record.vcpus,
    root_gb: record.root_gb,
    ephemeral_gb: record.ephemeral_gb,
    host: record.host,
    availability_zone: record.availability_zone,
    created_at: timeText(record.created_at),
    deleted_at: timeText(record.deleted_at),
    launched_at: timeText(record.launched_at),
    image_ref_url: `http://${deps.config.glance_host}:${deps.config.glance_port}/images/${record.image_ref}`,
    os_type: record.os_type,
    kernel_id: record.kernel_id,
    ramdisk_id: record.ramdisk_id,
    state: record.vm_state,
    state_description: record.task_state ?? '',
    access_ip_v4: record.access_ip_v4,
    access_ip_v6: record.access_ip_v6,
    old_state: before.vm_state,
    old_task_state: before.task_state,
    new_task_state: record.task_state,
  };
  for (const topic of deps.config.notification_topics) {
    await deps.bus.notify(context, topic, 'info', {
      publisher_id: `api.${deps.config.host}`,
      event_type: 'compute.instance.update',
      payload,
    });
  }
}

const timeText = (ms: number | null): string => (ms === null ? '' : sqlSeconds(ms));
