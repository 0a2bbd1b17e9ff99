import { extensionOperations } from '../core/extensions.ts';
import type { ComputeOperation, Registry } from '../http/api.ts';
import { completed } from '../http/routes.ts';
import { snapshotOperations } from './snapshots.ts';
import { typeOperations } from './types.ts';
import { volumeOperations } from './volumes.ts';

const RESOURCES = ['/volumes', '/types', '/snapshots', '/extensions'];

/** All operations of the volume API: the core, then the extensions' own. */
export function volumeOperationsOf(registry: Registry): ComputeOperation[] {
  const { extensions } = registry;
  const added = extensions.flatMap(({ operations = [] }) =>
    typeof operations === 'function' ? operations(registry) : operations,
  );
  const core = [...volumeOperations, ...typeOperations, ...snapshotOperations, ...extensionOperations];
  const resources = extensions.flatMap(extension => extension.resources ?? []);
  return completed([...core, ...added], [...RESOURCES, ...resources]);
}
