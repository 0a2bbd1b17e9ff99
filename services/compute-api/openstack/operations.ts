import { consoleOperations } from './core/consoles.ts';
import { extensionOperations } from './core/extensions.ts';
import { flavorOperations } from './core/flavors.ts';
import { imageMetadataOperations, imageOperations } from './core/images.ts';
import { addressOperations } from './core/ips.ts';
import { limitOperations } from './core/limits.ts';
import { serverMetadataOperations } from './core/server-metadata.ts';
import { serverOperations } from './core/servers.ts';
import type { ComputeOperation, Extension, Registry } from './http/api.ts';
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

/** The core's, with what extensions add to its bodies and answers. */
export const coreOperations = (registry: Registry): ComputeOperation[] => [
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

/** An extension's own. */
export const addedOperations = (
  { operations = [] }: Extension,
  registry: Registry,
): readonly ComputeOperation[] => (typeof operations === 'function' ? operations(registry) : operations);

/** All that is served. */
export function operationsOf(registry: Registry): ComputeOperation[] {
  const { extensions } = registry;
  const added = extensions.flatMap(extension => addedOperations(extension, registry));
  const resources = extensions.flatMap(extension => extension.resources ?? []);
  return completed([...coreOperations(registry), ...added], [...RESOURCES, ...resources]);
}
