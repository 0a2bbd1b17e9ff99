import { child, type XmlElement } from '@folsom/wire';
import Type from 'typebox';
import { BLOCK_DEVICES_MAX, type BlockDevice, readDevice } from '../../domain/block-devices.ts';
import { serverOperations } from '../core/servers.ts';
import type { ComputeOperation, Registry } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { serverAttributes } from '../http/server-attributes.ts';
import { readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

function blockDevicesOf(value: unknown): BlockDevice[] {
  if (value == null) return [];
  if (!Array.isArray(value) || value.length > BLOCK_DEVICES_MAX) throw badRequest();
  return value.map(item => {
    const device = isObject(item) ? readDevice(item) : undefined;
    if (!device) throw badRequest();
    return device;
  });
}

function readXml(node: XmlElement): Record<string, unknown> {
  const devices = child(node, 'block_device_mapping');
  if (!devices) return {};
  const mappings = devices.children.filter(item => item.name === 'mapping');
  return { block_device_mapping: mappings.map(({ attributes }) => ({ ...attributes })) };
}

/** The volumes and snapshots that a server is booted with. */
export const bootVolumes = serverAttributes({
  shape: { block_device_mapping: Type.Optional(readBy(blockDevicesOf)) },
  readBoot: ({ block_device_mapping: blockDevices = [] }) => ({ blockDevices }),
  readXml,
});

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
