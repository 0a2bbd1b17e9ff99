import { extensionOperations } from '../core/extensions.ts';
import type { ComputeOperation, Registry } from '../http/api.ts';
import { completed } from '../http/routes.ts';
import { addedOperations } from '../operations.ts';
import { snapshots } from './snapshots.ts';
import { typeOperations } from './types.ts';
import { volumeOperations } from './volumes.ts';

const RESOURCES = ['/volumes', '/types', '/snapshots', '/extensions'];

/** What the API has without any extension. */
export const coreVolumeOperations: readonly ComputeOperation[] = [
  ...volumeOperations,
  ...typeOperations,
  ...snapshots,
  ...extensionOperations,
];

/** All operations of the volume API: the core, then the extensions' own. */
export function volumeOperationsOf(registry: Registry): ComputeOperation[] {
  const { extensions } = registry;
  const added = extensions.flatMap(extension => addedOperations(extension, registry));
  const resources = extensions.flatMap(extension => extension.resources ?? []);
  return completed([...coreVolumeOperations, ...added], [...RESOURCES, ...resources]);
}
