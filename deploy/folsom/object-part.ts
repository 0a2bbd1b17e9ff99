import { mkdir } from 'node:fs/promises';
import type { TokenValidator } from '@folsom/auth';
import type { RunningService } from '@folsom/core';
import { startObjectStorage } from '../object-storage.ts';
import type { PartOptions } from './part.ts';

/** Object storage on plain directories of the state directory, one device and one replica unless asked otherwise. */
export async function startObjectPart(
  options: PartOptions,
  validator: TokenValidator,
): Promise<RunningService> {
  const { layout, ports, hostIp, world, swift } = options;
  await mkdir(layout.objects, { recursive: true, mode: 0o700 });
  return startObjectStorage({
    stateDir: layout.objects,
    confDir: layout.etc,
    devices: swift.devices,
    replicas: swift.replicas,
    host: hostIp,
    ports: {
      proxy: ports.objectProxy,
      account: ports.account,
      container: ports.container,
      object: ports.object,
    },
    validator,
    world,
  });
}
