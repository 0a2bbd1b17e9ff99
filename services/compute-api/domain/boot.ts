import { isFault, isoSeconds, keyedTurns, type RequestContext, systemClock } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { extraSpecs, type FlavorRow, flavorByFlavorId, flavorByName, flavorWire } from '@folsom/nova/flavors';
import { powerState, vmState } from '@folsom/nova/instance-state';
import { withQuota } from '@folsom/nova/quota-lock';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { FilterProperties, InstanceProperties } from '@folsom/nova/rpc/wire';
import { rootDeviceName } from './block-devices.ts';
import { type BootFacts, factsOf } from './boot-facts.ts';
import type { Booted, BootRequest } from './boot-request.ts';
import { insertInstances, textOrNull } from './boot-rows.ts';
import type { Deps } from './deps.ts';
import { newPassword, reservationId } from './passwords.ts';
import { overOf, tooManyInstances } from './quota-checks.ts';

/**
 * Boots of a tenant that are looked at at a time: five hundred at once would have the image service asked five hundred times
 * before the first is answered, and other tenants wait behind all of them.
 */
const TURNS = 8;
const TURN_WAIT_MS = 60_000;
const turns = keyedTurns(TURNS, TURN_WAIT_MS, systemClock);

/**
 * Boots instances: checks everything that can be refused, then writes the rows, the use of quota and the message to the
 * scheduler in one transaction: an accepted boot is never lost. Parallel boots never pass the quota.
 *
 * @throws Fault `FlavorNotFound`, `ImageNotFound`, `KeypairNotFound`, `TooManyInstances` and their like
 */
export const boot = (deps: Deps, context: RequestContext, request: BootRequest): Promise<Booted> =>
  turns(context.projectId ?? '', () => acceptBoot(deps, context, request));

async function acceptBoot(deps: Deps, context: RequestContext, request: BootRequest): Promise<Booted> {
  const flavor = await flavorFor(deps, context, request.flavor);
  const facts = await factsOf(deps, context, request, flavor);
  const { count, image } = facts;
  const now = deps.clock.now();
  const adminPassword = request.adminPassword ?? newPassword(deps);
  const base = propertiesOf(deps, context, request, facts, now);
  const uuids = Array.from({ length: count }, () => deps.random.uuid());
  const deltas = { instances: count, cores: count * flavor.vcpus, ram: count * flavor.memory_mb };
  const filters: FilterProperties = { scheduler_hints: request.schedulerHints };
  if (context.isAdmin && facts.forcedHost !== null) filters.force_hosts = [facts.forcedHost];
  const message = {
    request_spec: {
      image,
      instance_properties: base,
      instance_type: flavorWire(flavor, await extraSpecs(deps.db.knex, flavor.id)),
      instance_uuids: uuids,
      block_device_mapping: request.blockDevices,
      security_group: request.securityGroups,
    },
    admin_password: adminPassword,
    injected_files: request.injectedFiles,
    requested_networks: request.networks,
    is_first_time: true,
    filter_properties: filters,
  };
  let groups: string[];
  try {
    groups = await withQuota(
      deps.db,
      context.projectId ?? '',
      deps.quotaDefaults,
      deltas,
      now,
      async (trx, send) => {
        const names = await insertInstances(trx, { context, request, flavor, base, image, uuids, now });
        await schedulerContract.client(send).run_instance(context, message);
        return names;
      },
      { transact: deps.outbox.transaction },
    );
  } catch (error) {
    const over = overOf(error);
    throw over ? tooManyInstances(over, { ...deltas, instances: request.minCount }) : error;
  }
  const shown = { auto_disk_config: base.auto_disk_config, groups };
  return { uuids, reservationId: base.reservation_id, adminPassword, shown };
}

/** @throws Fault `FlavorNotFound`, `InstanceTypeNotFoundByName` */
async function flavorFor(
  deps: Deps,
  context: RequestContext,
  wanted: BootRequest['flavor'],
): Promise<FlavorRow> {
  const { knex } = deps.db;
  if ('id' in wanted) return flavorByFlavorId(knex, wanted.id, context);
  const { flavorid } = await flavorByName(knex, wanted.name);
  return flavorByFlavorId(knex, flavorid, context).catch(error => {
    // One that the tenant may not use is none.
    throw isFault(error, 'FlavorNotFound')
      ? novaFault('InstanceTypeNotFoundByName', { instance_type_name: wanted.name })
      : error;
  });
}

/** What all instances of the request have alike. */
function propertiesOf(
  deps: Deps,
  context: RequestContext,
  request: BootRequest,
  facts: BootFacts,
  now: number,
): InstanceProperties {
  const { flavor, image } = facts;
  const property = (name: string) => textOrNull(image.properties[name]);
  return {
    reservation_id: reservationId(deps.random),
    image_ref: request.imageId,
    kernel_id: facts.kernelId ?? '',
    ramdisk_id: facts.ramdiskId ?? '',
    power_state: powerState.noState,
    vm_state: vmState.building,
    config_drive_id: facts.configDriveId ?? '',
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
    key_data: facts.key?.public_key ?? null,
    locked: false,
    metadata: request.metadata,
    access_ip_v4: request.accessIpV4,
    access_ip_v6: request.accessIpV6,
    availability_zone: facts.zone,
    root_device_name: rootDeviceName(image.properties),
    progress: 0,
    os_type: property('os_type'),
    architecture: property('arch'),
    vm_mode: property('vm_mode'),
    auto_disk_config: request.autoDiskConfig ?? boolOrNull(property('auto_disk_config')),
    launch_index: 0,
  };
}

const boolOrNull = (value: string | null): boolean | null =>
  value === null ? null : /^(1|true|yes|y)$/i.test(value);
