import type { RequestContext, World } from '@folsom/core';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { wireBase, wireTime } from '@folsom/nova/rows';
import type { Bus } from '@folsom/rpc';
import type { Guest } from './driver.ts';
import type { ComputeSettings } from './settings.ts';

/** Tells whoever listens to notifications what happens to instances. */
export interface UsageNotifier {
  /** `compute.instance.<event>`, e.g. `create.start`. */
  usage(
    context: RequestContext,
    guest: Guest,
    event: string,
    extra?: Record<string, unknown>,
    network?: NetworkInfo,
  ): Promise<void>;
  /** `compute.instance.update`, where the configuration asks for it. */
  updated(
    context: RequestContext,
    before: { vm_state: string; task_state: string | null },
    after: Guest,
  ): Promise<void>;
}

/** `2012-09-27 10:00:00`, or the empty text for none. */
const plainTime = (ms: number | null): string =>
  ms === null || ms === undefined ? '' : new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

export function usageNotifier(
  seam: { bus: Bus; world: World; host: string },
  settings: ComputeSettings,
): UsageNotifier {
  const wanted = settings.notification_driver.some(name => /rabbit|rpc/.test(name));
  const glance = settings.glance_api_servers[0] ?? `${settings.glance_host}:${settings.glance_port}`;

  const publish = async (context: RequestContext, event: string, payload: Record<string, unknown>) => {
    if (!wanted) return;
    const body = {
      message_id: seam.world.random.uuid(),
      publisher_id: `compute.${seam.host}`,
      timestamp: `${new Date(seam.world.clock.now()).toISOString().slice(0, 23).replace('T', ' ')}000`,
      priority: 'INFO',
      event_type: `compute.instance.${event}`,
      payload,
    };
    for (const topic of settings.notification_topics) {
      await seam.bus.notify(context, topic, 'info', body);
    }
  };

  const facts = (guest: Guest): Record<string, unknown> => ({
    tenant_id: guest.project_id,
    user_id: guest.user_id,
    instance_id: guest.uuid,
    display_name: guest.display_name,
    reservation_id: guest.reservation_id,
    instance_type: guest.flavor.name,
    instance_type_id: guest.instance_type_id,
    architecture: guest.architecture,
    memory_mb: guest.memory_mb,
    disk_gb: guest.root_gb + guest.ephemeral_gb,
    vcpus: guest.vcpus,
    root_gb: guest.root_gb,
    ephemeral_gb: guest.ephemeral_gb,
    host: guest.host,
    availability_zone: guest.availability_zone,
    created_at: plainTime(guest.created_at),
    launched_at: plainTime(guest.launched_at),
    deleted_at: plainTime(guest.deleted_at ?? guest.terminated_at),
    image_ref_url: guest.image_ref ? `http://${glance}/images/${guest.image_ref}` : '',
    os_type: guest.os_type,
    kernel_id: guest.kernel_id,
    ramdisk_id: guest.ramdisk_id,
    access_ip_v4: guest.access_ip_v4,
    access_ip_v6: guest.access_ip_v6,
    state: guest.vm_state,
    state_description: guest.task_state ?? '',
    image_meta: { base_image_ref: guest.image_ref },
    metadata: guest.metadata.map(row => ({
      ...wireBase(row),
      id: row.id,
      instance_uuid: row.instance_uuid,
      key: row.key,
      value: row.value,
    })),
  });

  return {
    async usage(context, guest, event, extra = {}, network) {
      if (!wanted) return;
      const addresses = network?.flatMap(vif =>
        (vif.network?.subnets ?? []).flatMap(subnet =>
          subnet.ips.map(ip => ({ ...ip, label: vif.network?.label })),
        ),
      );
      await publish(context, event, {
        ...facts(guest),
        ...(addresses === undefined ? {} : { fixed_ips: addresses }),
        ...extra,
      });
    },
    async updated(context, before, after) {
      const mode = settings.notify_on_state_change;
      if (!wanted || (mode !== 'vm_state' && mode !== 'vm_and_task_state')) return;
      const vmChanged = before.vm_state !== after.vm_state;
      const taskChanged = before.task_state !== after.task_state;
      if (!vmChanged && !(mode === 'vm_and_task_state' && taskChanged)) return;
      const now = seam.world.clock.now();
      const month = new Date(now);
      await publish(context, 'update', {
        ...facts(after),
        old_state: before.vm_state,
        state: after.vm_state,
        old_task_state: before.task_state,
        new_task_state: after.task_state,
        audit_period_beginning: wireTime(Date.UTC(month.getUTCFullYear(), month.getUTCMonth())),
        audit_period_ending: wireTime(now),
        bandwidth: {},
      });
    },
  };
}
