import { consoleOperations } from './core/consoles.ts';
import { extensionOperations } from './core/extensions.ts';
import { flavorOperations } from './core/flavors.ts';
import { imageMetadataOperations, imageOperations } from './core/images.ts';
import { addressOperations } from './core/ips.ts';
import { limitOperations } from './core/limits.ts';
import { serverMetadataOperations } from './core/server-metadata.ts';
import { serverOperations } from './core/servers.ts';
import type { ComputeOperation, Registry } from './http/api.ts';
import { completed } from './http/routes.ts';

/** Paths of the core's resources. */
const RESOURCES = [
  '/servers/:server_id/consoles',
  '/servers',
  '/servers/:server_id/ips',
  '/images',
  '/limits',
  '/flavors',
  '/images/:image_id/metadata',
  '/servers/:server_id/metadata',
  '/extensions',
];

/** All operations: the core with what extensions add to its bodies and answers, then the extensions' own. */
export function operationsOf(registry: Registry): ComputeOperation[] {
  const { extensions } = registry;
  const core = [
    ...consoleOperations,
    ...serverOperations(registry),
    ...addressOperations,
    ...imageOperations(registry),
    ...limitOperations(registry),
    ...flavorOperations(registry),
    ...imageMetadataOperations,
    ...serverMetadataOperations,
    ...extensionOperations,
  ];
  const added = extensions.flatMap(({ operations = [] }) =>
    typeof operations === 'function' ? operations(registry) : operations,
  );
  const resources = extensions.flatMap(extension => extension.resources ?? []);
  return completed([...core, ...added], [...RESOURCES, ...resources]);
}
