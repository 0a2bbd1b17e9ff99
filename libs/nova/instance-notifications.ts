import { Fault, pythonIso, type RequestContext, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type Bus, createNotifier, withoutSecrets } from '@folsom/rpc';
import { lastAuditPeriod } from './audit-period.ts';
import { bandwidthOf } from './bandwidth.ts';
import { cachedNetworkInfo } from './instance-info-cache.ts';
import type { InstanceRecord } from './instance-records.ts';
import { systemMetadataOf } from './instances.ts';
import type { NetworkInfo } from './network-info.ts';
import { wireBase, wireTime } from './rows.ts';

/** What each event `compute.instance.*` says besides the facts that all of them have. */
export const INSTANCE_EVENTS = {
  'create.start': ['image_name'],
  'create.end': ['fixed_ips', 'image_name'],
  'delete.start': [],
  'delete.end': [],
  'shutdown.start': [],
  'shutdown.end': [],
  'power_off.start': [],
  'power_off.end': [],
  'power_on.start': [],
  'power_on.end': [],
  'reboot.start': [],
  'reboot.end': [],
  suspend: [],
  resume: [],
  'rebuild.start': ['image_name'],
  'rebuild.end': ['fixed_ips', 'image_name'],
  'snapshot.start': [],
  'snapshot.end': [],
  'resize.prep.start': [],
  'resize.prep.end': ['new_instance_type', 'new_instance_type_id'],
  'resize.start': ['fixed_ips'],
  'resize.end': ['fixed_ips'],
  'finish_resize.start': ['fixed_ips'],
  'finish_resize.end': ['fixed_ips'],
  'resize.confirm.start': [],
  'resize.confirm.end': ['fixed_ips'],
  'resize.revert.start': [],
  'resize.revert.end': [],
  'create_ip.start': [],
  'create_ip.end': ['fixed_ips'],
  'delete_ip.start': [],
  'delete_ip.end': ['fixed_ips'],
  exists: ['audit_period_beginning', 'audit_period_ending', 'bandwidth'],
  update: [
    'audit_period_beginning',
    'audit_period_ending',
    'bandwidth',
    'new_task_state',
    'old_state',
    'old_task_state',
  ],
} as const;
export type InstanceEvent = keyof typeof INSTANCE_EVENTS;

/** What a service does to an instance, and says when that begins and ends. */
export type UsageEvent = Exclude<InstanceEvent, 'exists' | 'update'>;

interface States {
  vm_state: string | null;
  task_state: string | null;
}

/** Tells whoever listens to notifications what happens to instances. */
export interface InstanceNotifier {
  /** Whether the configuration names anybody who listens. */
  readonly listens: boolean;
  usage(
    context: RequestContext,
    instance: InstanceRecord,
    event: UsageEvent,
    extra?: Record<string, unknown>,
    network?: NetworkInfo,
  ): Promise<void>;
  /**
   * That it is there, with what it has used in the period that runs, or in the last whole one; `was` is the image it had, where
   * that is no longer its row's.
   */
  exists(
    context: RequestContext,
    instance: InstanceRecord,
    period: 'current' | 'last',
    was?: { imageRef: string | null; systemMetadata: Record<string, string> | null },
  ): Promise<void>;
  /** That a message failed, under its own name; what it was to keep secret is not told. */
  failed(
    context: RequestContext,
    method: string,
    args: Readonly<Record<string, unknown>>,
    error: unknown,
  ): Promise<void>;
  /** That it is another than before, where the configuration asks for that. */
  updated(context: RequestContext, before: States, after: InstanceRecord): Promise<void>;
}

export interface NotificationSettings {
  host: string;
  notification_driver: readonly string[];
  notification_topics: readonly string[];
  notify_on_any_change: boolean;
  notify_on_state_change: string | null;
  instance_usage_audit_period: string;
  glance_api_servers: readonly string[];
  glance_host: string;
  glance_port: number;
}

/** `2012-09-27 10:00:00`, or the empty text for none. */
const plainTime = (ms: number | null | undefined): string =>
  ms === null || ms === undefined ? '' : pythonIso(ms).replace('T', ' ');

export function instanceNotifier(options: {
  bus: Bus;
  db: Database;
  world: World;
  /** `compute`, `api` or `scheduler`, by which it is published. */
  service: string;
  settings: NotificationSettings;
}): InstanceNotifier {
  const { bus, db, world, service, settings } = options;
  const wanted = settings.notification_driver.length > 0;
  const send = createNotifier({
    bus,
    world,
    publisherId: `${service}.${settings.host}`,
    drivers: settings.notification_driver,
    topics: settings.notification_topics,
  });
  const glance = settings.glance_api_servers[0] ?? `${settings.glance_host}:${settings.glance_port}`;
  const publish = (context: RequestContext, event: InstanceEvent, payload: Record<string, unknown>) =>
    send(context, `compute.instance.${event}`, payload);
  const factsOf = async (instance: InstanceRecord) =>
    instanceFacts(instance, glance, await systemMetadataOf(db.knex, instance.uuid));
  /** By the label of the network, in the period that begins then. */
  const bandwidth = async (instance: InstanceRecord, begin: number) =>
    bandwidthOf(db.knex, instance.uuid, await cachedNetworkInfo(db, instance.uuid), begin);
  const periodNow = (): { begin: number; end: number } => {
    const now = world.clock.now();
    return { begin: lastAuditPeriod(settings.instance_usage_audit_period, now).end, end: now };
  };

  return {
    listens: wanted,
    async usage(context, instance, event, extra = {}, network) {
      if (!wanted) return;
      const fixed_ips = network === undefined ? {} : { fixed_ips: fixedIps(network) };
      await publish(context, event, { ...(await factsOf(instance)), ...fixed_ips, ...extra });
    },
    async exists(context, instance, period, was) {
      if (!wanted) return;
      const { begin, end } =
        period === 'current'
          ? periodNow()
          : lastAuditPeriod(settings.instance_usage_audit_period, world.clock.now());
      const before =
        was === undefined
          ? {}
          : {
              image_ref_url: imageUrl(glance, was.imageRef),
              ...(was.systemMetadata === null ? {} : { image_meta: imageMeta(was.systemMetadata) }),
            };
      await publish(context, 'exists', {
        ...(await factsOf(instance)),
        audit_period_beginning: plainTime(begin),
        audit_period_ending: plainTime(end),
        bandwidth: await bandwidth(instance, begin),
        ...before,
      });
    },
    async failed(context, method, args, error) {
      if (!wanted) return;
      const exception = error instanceof Fault ? { kwargs: { ...error.values, code: error.status } } : {};
      await send(context, method, { args: [], exception, ...withoutSecrets(args) }, 'ERROR');
    },
    async updated(context, before, after) {
      const { notify_on_any_change: any, notify_on_state_change: mode } = settings;
      const vmChanged = before.vm_state !== after.vm_state;
      const taskChanged = before.task_state !== after.task_state;
      const states =
        (mode === 'vm_state' && vmChanged) || (mode === 'vm_and_task_state' && (vmChanged || taskChanged));
      if (!wanted || !(any || states)) return;
      const { begin, end } = periodNow();
      await publish(context, 'update', {
        ...(await factsOf(after)),
        old_state: states ? before.vm_state : null,
        state: after.vm_state,
        old_task_state: states ? before.task_state : null,
        new_task_state: after.task_state,
        audit_period_beginning: wireTime(begin),
        audit_period_ending: wireTime(end),
        bandwidth: await bandwidth(after, begin),
      });
    },
  };
}

const fixedIps = (network: NetworkInfo) =>
  network.flatMap(vif =>
    (vif.network?.subnets ?? []).flatMap(subnet =>
      subnet.ips.map(ip => ({ ...ip, label: vif.network?.label })),
    ),
  );

/** Keys of the system metadata that are the image's. */
const IMAGE = 'image_';

const imageMeta = (systemMetadata: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(systemMetadata).flatMap(([key, value]) =>
      key.startsWith(IMAGE) ? [[key.slice(IMAGE.length), value]] : [],
    ),
  );

/** What every event says of its instance. */
const instanceFacts = (
  instance: InstanceRecord,
  glance: string,
  systemMetadata: Record<string, string>,
): Record<string, unknown> => ({
  tenant_id: instance.project_id,
  user_id: instance.user_id,
  instance_id: instance.uuid,
  display_name: instance.display_name,
  reservation_id: instance.reservation_id,
  instance_type: instance.flavor.name,
  instance_type_id: instance.instance_type_id,
  architecture: instance.architecture,
  memory_mb: instance.memory_mb,
  disk_gb: instance.root_gb + instance.ephemeral_gb,
  vcpus: instance.vcpus,
  root_gb: instance.root_gb,
  ephemeral_gb: instance.ephemeral_gb,
  host: instance.host,
  availability_zone: instance.availability_zone,
  created_at: plainTime(instance.created_at),
  launched_at: plainTime(instance.launched_at),
  deleted_at: plainTime(instance.terminated_at),
  image_ref_url: imageUrl(glance, instance.image_ref),
  os_type: instance.os_type,
  kernel_id: instance.kernel_id,
  ramdisk_id: instance.ramdisk_id,
  access_ip_v4: instance.access_ip_v4,
  access_ip_v6: instance.access_ip_v6,
  state: instance.vm_state,
  state_description: instance.task_state ?? '',
  image_meta: imageMeta(systemMetadata),
  metadata: instance.metadata.map(row => ({
    ...wireBase(row),
    id: row.id,
    instance_uuid: row.instance_uuid,
    key: row.key,
    value: row.value,
  })),
});

/** Where an image is; the empty text for an instance without one. */
const imageUrl = (glance: string, image: string | null): string =>
  image ? `http://${glance}/images/${image}` : '';
