export { EC2_ACTIONS } from './ec2/actions.ts';
export { ec2Reference } from './ec2/reference.ts';

import type { ReferencePart } from '@folsom/http/operation';
import { EXTENSIONS } from './compute-api.ts';
import type { ComputeOperation, Extension } from './openstack/http/api.ts';
import { readExtensions, registryOf } from './openstack/http/extension.ts';
import { statusOf } from './openstack/http/statuses.ts';
import { addedOperations, coreOperations } from './openstack/operations.ts';
import { coreVolumeOperations } from './openstack/volume/operations.ts';
import { VOLUME_EXTENSIONS } from './volume-api.ts';

const PREFIX = '/v2/:project_id';
const VOLUME_PREFIX = '/v1/:project_id';

/** What the volume API offers with all its extensions. */
export async function volumeReference(): Promise<readonly ReferencePart[]> {
  const registry = registryOf(await readExtensions(VOLUME_EXTENSIONS));
  return [
    {
      title: 'Volumes, version 1',
      about:
        "nova-api on port 8776, under `/v1`; the path begins with the token's tenant. JSON and XML. Where no rule is named, the domain " +
        'asks its own (`volume:get`, `volume:delete`, …) for the very volume.',
      prefix: VOLUME_PREFIX,
      operations: coreVolumeOperations,
      statusOf,
    },
    ...registry.extensions.flatMap(extension =>
      partOf('Volumes', VOLUME_PREFIX, extension, addedOperations(extension, registry)),
    ),
  ];
}

/** What the compute API offers with all its extensions, for the reference page. */
export async function computeReference(): Promise<readonly ReferencePart[]> {
  const registry = registryOf(await readExtensions(EXTENSIONS));
  return [
    {
      title: 'Compute, version 2',
      about:
        "nova-api on port 8774, under `/v2` and `/v1.1`; the path begins with the token's tenant. JSON and XML. A word behind a request is " +
        'the one key of the body, which tells actions apart. Where no rule is named, the domain asks its own (`compute:get`, ' +
        '`compute:reboot`, …) for the very server. The body of a boot has the attributes of the extensions, too.',
      prefix: PREFIX,
      operations: coreOperations(registry),
      statusOf,
    },
    ...registry.extensions.flatMap(extension =>
      partOf('Compute', PREFIX, extension, addedOperations(extension, registry)),
    ),
  ];
}

function partOf(
  api: string,
  prefix: string,
  { alias, description }: Extension,
  operations: readonly ComputeOperation[],
): ReferencePart[] {
  if (operations.length === 0) return [];
  const about = description.replaceAll(/\s+/g, ' ').trim();
  return [{ title: `${api}, extension ${alias}`, about, prefix, operations, statusOf }];
}
