import type { ReferencePart } from '@folsom/http/operation';
import { EXTENSIONS } from './compute-api.ts';
import type { Extension, Registry } from './openstack/http/api.ts';
import { readExtensions, registryOf } from './openstack/http/extension.ts';
import { addedOperations, coreOperations } from './openstack/operations.ts';

const PREFIX = '/v2/:project_id';

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
    },
    ...registry.extensions.flatMap(extension => partOf(extension, registry)),
  ];
}

function partOf(extension: Extension, registry: Registry): ReferencePart[] {
  const operations = addedOperations(extension, registry);
  if (operations.length === 0) return [];
  const about = extension.description.replaceAll(/\s+/g, ' ').trim();
  return [{ title: `Compute, extension ${extension.alias}`, about, prefix: PREFIX, operations }];
}
