import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { FlavorRow } from '@folsom/nova/flavors';
import { type KeyPairRow, keyPairByName } from '@folsom/nova/keypairs';
import { exceeded, type Limits, limitsOf, usagesOf } from '@folsom/nova/quotas';
import type { Sql } from '@folsom/nova/rows';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { securityGroupsByNames } from '@folsom/nova/security-groups';
import { blockDeviceRows, checkVolumes } from './block-devices.ts';
import type { BootRequest } from './boot-request.ts';
import { textOrNull } from './boot-rows.ts';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { authorize } from './policy.ts';
import { checkInjectedFiles, checkMetadata, roomFor, tooManyInstances } from './quota-checks.ts';

/** Bytes of user data, base64 included: the column's length. */
const USER_DATA_BYTES_MAX = 65_535;
/** Instances of one request where the quota sets no limit. */
const BOOT_COUNT_MAX = 1_000;

/** What the rows and the message of a boot are made from besides its request. */
export interface BootFacts {
  flavor: FlavorRow;
  /** How many of them fit. */
  count: number;
  image: ImageWire;
  kernelId: string | null;
  ramdiskId: string | null;
  configDriveId: string | null;
  key: KeyPairRow | null;
  zone: string | null;
  forcedHost: string | null;
}

/** Looks up everything that a boot names and refuses what cannot be booted, in the order in which Folsom complains. */
export async function factsOf(
  deps: Deps,
  context: RequestContext,
  request: BootRequest,
  flavor: FlavorRow,
): Promise<BootFacts> {
  mayBoot(deps, context, request);
  if (flavor.disabled) throw novaFault('InstanceTypeNotFound', { instance_type_id: flavor.id });
  const projectId = context.projectId ?? '';
  const { knex } = deps.db;
  const limits = await limitsOf(knex, projectId, deps.quotaDefaults);
  const count = await affordable(deps, projectId, limits, request, flavor);
  checkMetadata(limits, request.metadata);
  checkInjectedFiles(limits, request.injectedFiles);
  if (request.networks) await deps.network.client.validate_networks(context, { networks: request.networks });
  const image = await imageFor(deps, context, request.imageId, flavor);
  const kernel = await kernelAndRamdisk(deps, context, image, request);
  const configDriveId = await configDriveImage(deps, context, request.configDrive);
  const userId = context.userId ?? '';
  const key = request.keyName === null ? null : await keyPairByName(knex, userId, request.keyName);
  checkUserData(request.userData);
  // What is written is what is looked at, whichever of image and request named it.
  const devices = blockDeviceRows(image.properties, request.blockDevices, flavor);
  await checkVolumes(knex, projectId, [...request.blockDevices, ...devices]);
  await checkGroups(knex, projectId, request.securityGroups);
  return { flavor, count, image, ...kernel, configDriveId, key, ...zoneOf(deps, request.availabilityZone) };
}

function mayBoot(deps: Deps, context: RequestContext, request: BootRequest): void {
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
}

/** How many of the instances asked for fit, at least the smallest number asked for. @throws `TooManyInstances` */
async function affordable(
  deps: Deps,
  projectId: string,
  limits: Limits,
  { minCount, maxCount }: BootRequest,
  flavor: FlavorRow,
): Promise<number> {
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

/** @throws Fault `ImageNotFound`, `InstanceTypeMemoryTooSmall`, `InstanceTypeDiskTooSmall` */
export async function imageFor(
  deps: Deps,
  context: RequestContext,
  imageId: string,
  flavor: FlavorRow,
): Promise<ImageWire> {
  const image = await deps.images.show(context, imageId);
  if (flavor.memory_mb < Number(image.min_ram)) throw novaFault('InstanceTypeMemoryTooSmall');
  if (flavor.root_gb < Number(image.min_disk)) throw novaFault('InstanceTypeDiskTooSmall');
  return image;
}

/** The kernel and ramdisk asked for, else the image's, both known to the image service. */
export async function kernelAndRamdisk(
  deps: Deps,
  context: RequestContext,
  image: ImageWire,
  given: Pick<BootRequest, 'kernelId' | 'ramdiskId'> = {},
): Promise<{ kernelId: string | null; ramdiskId: string | null }> {
  const kernelId = given.kernelId ?? textOrNull(image.properties.kernel_id);
  const ramdiskId = given.ramdiskId ?? textOrNull(image.properties.ramdisk_id);
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
