import type { RequestContext } from '@folsom/core';
import { extraSpecs, flavorWire } from '@folsom/nova/flavors';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { instanceRecord } from '@folsom/nova/instance-records';
import { checkAction } from '@folsom/nova/instance-state';
import { replaceMetadata, replaceSystemMetadata, systemMetadataOf } from '@folsom/nova/instances';
import type { ImageWire, InjectedFiles } from '@folsom/nova/rpc/wire';
import { begin, hostOf, type Step } from './actions.ts';
import { imageFor, kernelAndRamdisk } from './boot-facts.ts';
import { systemMetadata } from './boot-rows.ts';
import type { Deps } from './deps.ts';
import { targetOf, wireOf } from './instances.ts';
import { newPassword } from './passwords.ts';
import { authorize } from './policy.ts';
import { checkInjectedFiles, checkMetadata, limitsFor } from './quota-checks.ts';

/** What users may change of a server at any time. */
export type ServerChanges = Pick<Step, 'display_name' | 'access_ip_v4' | 'access_ip_v6' | 'auto_disk_config'>;

export interface RebuildRequest {
  imageId: string;
  /** Absent: a new one. */
  password?: string;
  files: InjectedFiles;
  /** Replaces the metadata when given. */
  metadata: Record<string, string> | undefined;
  changes: ServerChanges;
}

/** The host was chosen for the image before. @throws Fault `NoValidHost` where it must not run this one */
async function checkHost(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  image: ImageWire,
): Promise<void> {
  if (instance.host === null) return;
  await deps.scheduler.check_rebuild(context, {
    host: instance.host,
    request_spec: {
      image,
      instance_properties: { ...wireOf(deps, instance), image_ref: image.id },
      instance_type: flavorWire(instance.flavor, await extraSpecs(deps.db.knex, instance.flavor.id)),
      instance_uuids: [instance.uuid],
    },
  });
}

/** Puts an instance back to the state of an image, keeping its identity, addresses and size. Answers its password. */
export async function rebuild(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  request: RebuildRequest,
): Promise<string> {
  authorize(deps, context, 'compute:rebuild', targetOf(instance));
  checkAction('rebuild', instance, context);
  const image = await imageFor(deps, context, request.imageId, instance.flavor);
  const limits = await limitsFor(deps, context);
  checkInjectedFiles(limits, request.files);
  if (request.metadata) checkMetadata(limits, request.metadata);
  const kernel = await kernelAndRamdisk(deps, context, image);
  if (request.imageId !== instance.image_ref) await checkHost(deps, context, instance, image);

  const password = request.password ?? newPassword(deps);
  const before = await systemMetadataOf(deps.db.knex, instance.uuid);
  const step = {
    image_ref: request.imageId,
    kernel_id: kernel.kernelId ?? '',
    ramdisk_id: kernel.ramdiskId ?? '',
    progress: 0,
    ...request.changes,
  };
  const now = deps.clock.now();
  await begin(deps, context, instance, 'rebuild', step, async ({ compute }, { record, trx }) => {
    const kept = Object.fromEntries(Object.entries(before).filter(([key]) => !key.startsWith('image_')));
    const { image_base_image_ref: _base, ...facts } = systemMetadata(image, request.imageId);
    await replaceSystemMetadata(trx, instance.uuid, { ...kept, ...facts }, now);
    if (request.metadata) await replaceMetadata(trx, instance.uuid, request.metadata, now);
    const fresh = await instanceRecord(trx, instance.uuid);
    await compute.rebuild_instance(
      context,
      {
        instance: wireOf(deps, fresh),
        new_pass: password,
        injected_files: request.files,
        image_ref: request.imageId,
        orig_image_ref: instance.image_ref,
        orig_sys_metadata: before,
      },
      hostOf(record),
    );
  });
  return password;
}
