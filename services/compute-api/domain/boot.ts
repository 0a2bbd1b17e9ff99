import type { RequestContext } from '@folsom/core';
import { isoSeconds } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { extraSpecs, type FlavorRow, flavorWire } from '@folsom/nova/flavors';
import { powerState, vmState } from '@folsom/nova/instance-state';
import { keyPairByName } from '@folsom/nova/keypairs';
import { withQuota } from '@folsom/nova/quota-lock';
import { exceeded, type Limits, limitsOf, usagesOf } from '@folsom/nova/quotas';
import type { Sql } from '@folsom/nova/rows';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type {
  FilterProperties,
  ImageWire,
  InjectedFiles,
  InstanceProperties,
  RequestedNetworks,
} from '@folsom/nova/rpc/wire';
import { securityGroupsByNames } from '@folsom/nova/security-groups';
import { type BlockDevice, checkVolumes, rootDeviceName } from './block-devices.ts';
import { insertInstances, textOrNull } from './boot-rows.ts';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { reservationId } from './passwords.ts';
import { authorize } from './policy.ts';
import { checkInjectedFiles, checkMetadata, overOf, roomFor, tooManyInstances } from './quota-checks.ts';

/** What somebody wants booted, already read and checked for form. */
export interface BootRequest {
  flavor: FlavorRow;
  imageId: string;
  name: string;
  minCount: number;
  maxCount: number;
  keyName: string | null;
  metadata: Record<string, string>;
  injectedFiles: InjectedFiles;
  adminPassword: string;
  securityGroups: string[];
  networks: RequestedNetworks;
  availabilityZone: string | null;
  userData: string | null;
  /** true, an image's id, or nothing. */
  configDrive: string | boolean | null;
  blockDevices: BlockDevice[];
  accessIpV4: string | null;
  accessIpV6: string | null;
  autoDiskConfig: boolean | null;
  schedulerHints: Record<string, unknown>;
}

export interface Booted {
  uuids: string[];
  reservationId: string;
  /** What the answer shows of each. */
  shown: { auto_disk_config: boolean | null; groups: string[] };
}

/** Bytes of user data, base64 included: the column's length. */
const USER_DATA_BYTES_MAX = 65_535;
/** Instances of one request where the quota sets no limit. */
const BOOT_COUNT_MAX = 1_000;

/**
 * Boots instances: checks everything that can be refused, then writes the rows, the use of quota and the message to the
 * scheduler in one transaction: an accepted boot is never lost. Parallel boots never pass the quota.
 */
export async function boot(deps: Deps, context: RequestContext, request: BootRequest): Promise<Booted> {
  const { flavor } = request;
  const target = {
    project_id: context.projectId,
    user_id: context.userId,
    availability_zone: request.availabilityZone,
  };
  authorize(deps, context, 'compute:create', target);
  if (request.networks && request.networks.length > 0) {
    authorize(deps, context, 'compute:create:attach_network', target);
  }
  if (request.blockDevices.length > 0) authorize(deps, context, 'compute:create:attach_volume', target);
  if (flavor.disabled) throw novaFault('InstanceTypeNotFound', { instance_type_id: flavor.id });

  const projectId = context.projectId ?? '';
  const { knex } = deps.db;
  const limits = await limitsOf(knex, projectId, deps.quotaDefaults);
  const count = await affordable(deps, projectId, limits, request);
  checkMetadata(limits, request.metadata);
  checkInjectedFiles(limits, request.injectedFiles);
  if (request.networks) await deps.network.client.validate_networks(context, { networks: request.networks });

  const image = await imageFor(deps, context, request);
  const kernel = await kernelAndRamdisk(deps, context, image);
  const configDriveId = await configDriveImage(deps, context, request.configDrive);
  const key =
    request.keyName === null ? null : await keyPairByName(knex, context.userId ?? '', request.keyName);
  checkUserData(request.userData);
  await checkVolumes(knex, projectId, request.blockDevices);
  await checkGroups(knex, projectId, request.securityGroups);
  const { zone, forcedHost } = zoneOf(deps, request.availabilityZone);

  const now = deps.clock.now();
  const property = (name: string) => textOrNull(image.properties[name]);
  const autoDiskConfig = request.autoDiskConfig ?? boolOrNull(property('auto_disk_config'));
  const base: InstanceProperties = {
    reservation_id: reservationId(deps.random),
    image_ref: request.imageId,
    kernel_id: kernel.kernelId ?? '',
    ramdisk_id: kernel.ramdiskId ?? '',
    power_state: powerState.noState,
    vm_state: vmState.building,
    config_drive_id: configDriveId ?? '',
    config_drive: request.configDrive === true ? '1' : '',
    user_id: context.userId,
    project_id: context.projectId,
    launch_time: isoSeconds(now),
    instance_type_id: flavor.id,
    memory_mb: flavor.memory_mb,
    vcpus: flavor.vcpus,
    root_gb: flavor.root_gb,
    ephemeral_gb: flavor.ephemeral_gb,
    display_name: request.name,
    display_description: request.name,
    user_data: request.userData,
    key_name: request.keyName,
    key_data: key?.public_key ?? null,
    locked: false,
    metadata: request.metadata,
    access_ip_v4: request.accessIpV4,
    access_ip_v6: request.accessIpV6,
    availability_zone: zone,
    root_device_name: rootDeviceName(image.properties),
    progress: 0,
    os_type: property('os_type'),
    architecture: property('arch'),
    vm_mode: property('vm_mode'),
    auto_disk_config: autoDiskConfig,
    launch_index: 0,
  };

  const uuids = Array.from({ length: count }, () => deps.random.uuid());
  const deltas = { instances: count, cores: count * flavor.vcpus, ram: count * flavor.memory_mb };
  const filters: FilterProperties = { scheduler_hints: request.schedulerHints };
  if (context.isAdmin && forcedHost !== null) filters.force_hosts = [forcedHost];
  const message = {
    request_spec: {
      image,
      instance_properties: base,
      instance_type: flavorWire(flavor, await extraSpecs(knex, flavor.id)),
      instance_uuids: uuids,
      block_device_mapping: request.blockDevices,
      security_group: request.securityGroups,
    },
    admin_password: request.adminPassword,
    injected_files: request.injectedFiles,
    requested_networks: request.networks,
    is_first_time: true,
    filter_properties: filters,
  };
  let groups: string[];
  try {
    groups = await withQuota(
      deps.db,
      projectId,
      deps.quotaDefaults,
      deltas,
      now,
      async (trx, send) => {
        const names = await insertInstances(trx, { context, request, base, image, uuids, now });
        await schedulerContract.client(send).run_instance(context, message);
        return names;
      },
      { transact: deps.outbox.transaction },
    );
  } catch (error) {
    const over = overOf(error);
    throw over ? tooManyInstances(over, { ...deltas, instances: request.minCount }) : error;
  }
  return { uuids, reservationId: base.reservation_id, shown: { auto_disk_config: autoDiskConfig, groups } };
}

/** How many of the instances asked for fit, at least the smallest number asked for. @throws `TooManyInstances` */
async function affordable(
  deps: Deps,
  projectId: string,
  limits: Limits,
  request: BootRequest,
): Promise<number> {
  const { flavor, minCount, maxCount } = request;
  const deltas = { instances: maxCount, cores: maxCount * flavor.vcpus, ram: maxCount * flavor.memory_mb };
  const over = exceeded(limits, await usagesOf(deps.db.knex, projectId, ['instances']), deltas);
  if (over) {
    const room = roomFor(over, flavor);
    if (room < minCount) throw tooManyInstances(over, { ...deltas, instances: minCount });
    return Math.min(room, BOOT_COUNT_MAX);
  }
  if (maxCount > BOOT_COUNT_MAX) throw computeFault('BootCountTooLarge', { max: BOOT_COUNT_MAX });
  return maxCount;
}

async function imageFor(deps: Deps, context: RequestContext, request: BootRequest): Promise<ImageWire> {
  const image = await deps.images.show(context, request.imageId);
  if (request.flavor.memory_mb < Number(image.min_ram)) throw novaFault('InstanceTypeMemoryTooSmall');
  if (request.flavor.root_gb < Number(image.min_disk)) throw novaFault('InstanceTypeDiskTooSmall');
  return image;
}

/** The image's kernel and ramdisk, both known to the image service. */
export async function kernelAndRamdisk(
  deps: Deps,
  context: RequestContext,
  image: ImageWire,
): Promise<{ kernelId: string | null; ramdiskId: string | null }> {
  const kernelId = textOrNull(image.properties.kernel_id);
  const ramdiskId = textOrNull(image.properties.ramdisk_id);
  if (kernelId === deps.config.null_kernel) return { kernelId: null, ramdiskId: null };
  await Promise.all([kernelId, ramdiskId].filter(id => id !== null).map(id => deps.images.show(context, id)));
  return { kernelId, ramdiskId };
}

async function configDriveImage(
  deps: Deps,
  context: RequestContext,
  configDrive: BootRequest['configDrive'],
): Promise<string | null> {
  if (!configDrive || configDrive === true) return null;
  await deps.images.show(context, configDrive);
  return configDrive;
}

function checkUserData(userData: string | null): void {
  if (userData !== null && userData.length > USER_DATA_BYTES_MAX) {
    throw novaFault('InstanceUserDataTooLarge', { maxsize: USER_DATA_BYTES_MAX, length: userData.length });
  }
}

async function checkGroups(sql: Sql, projectId: string, names: readonly string[]): Promise<void> {
  const wanted = names.filter(name => name !== 'default');
  if (wanted.length === 0) return;
  const found = await securityGroupsByNames(sql, projectId, wanted);
  const missing = wanted.find(name => !found.has(name));
  if (missing !== undefined) {
    throw novaFault('SecurityGroupNotFoundForProject', { security_group_id: missing, project_id: projectId });
  }
}

/** `zone:host` lets administrators name the host. */
function zoneOf(deps: Deps, text: string | null): { zone: string | null; forcedHost: string | null } {
  const [zone = '', host, ...rest] = (text ?? '').split(':');
  if (rest.length > 0) throw computeFault('InvalidAvailabilityZone');
  return { zone: zone === '' ? deps.config.default_schedule_zone : zone, forcedHost: host ?? null };
}

const boolOrNull = (value: string | null): boolean | null =>
  value === null ? null : /^(1|true|yes|y)$/i.test(value);
