import { serverOperations } from '../core/servers.ts';
import type { ComputeOperation, Registry } from '../http/api.ts';

/** Where the original has servers for those who boot from volumes: the same servers, booted the same way. */
export const volumesBoot = '/os-volumes_boot';

/** Of what servers can be asked, what the second place has: no details, no actions. */
const PLACES: readonly string[] = ['/servers', '/servers/:id'];

export const bootFromVolumeOperations = (registry: Registry): ComputeOperation[] =>
  serverOperations(registry)
    .filter(({ path }) => PLACES.includes(path))
    .map(operation => ({
      ...operation,
      name: `${operation.name}OfVolumes`,
      path: operation.path.replace('/servers', volumesBoot),
    }));
