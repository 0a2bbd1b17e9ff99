import type { Config } from '@folsom/config';
import { imageOptions, startImageApi, storeOptions } from '@folsom/image';
import {
  configuredRegistry,
  configuredValidator,
  glanceProgram,
  notificationBus,
  openGlanceDatabase,
} from '../glance-program.ts';
import { observe } from '../observe.ts';
import { configuredPolicy } from '../policy-file.ts';
import { runUntilSignal } from '../run.ts';

/** glance-api, configured by glance-api.conf. */
export async function main(argv: string[]): Promise<number> {
  const read = glanceProgram(argv, 'glance-api', ['/etc/glance/glance-api.conf']);
  if (!read) return 0;
  const observed = await observe(read.config, 'glance-api', read.world, imageDisks(read.config));
  const program = { config: read.config, world: observed.world };
  const { config, world } = program;
  const registry = configuredRegistry(program);
  const db = await openGlanceDatabase(program);
  const bus = notificationBus(program);
  const validator = await configuredValidator(program, bus);
  const policy = configuredPolicy(config, config.of(imageOptions), world);
  const close = async () => {
    registry?.close();
    await validator?.stop();
    await bus?.close();
    await db.close();
    await observed.stop();
  };
  try {
    const service = await startImageApi({
      config,
      world,
      db,
      ...(registry ? { registry } : {}),
      ...(validator ? { validator } : {}),
      ...(policy ? { policy } : {}),
      ...(bus ? { bus } : {}),
    });
    world.log.info('ready', { addresses: service.addresses });
    return await runUntilSignal(
      {
        name: service.name,
        stop: async () => {
          await service.stop();
          await close();
        },
      },
      world.log,
    );
  } catch (error) {
    await close();
    throw error;
  }
}

function imageDisks(config: Config): Record<string, string> {
  const { filesystem_store_datadir: directory } = config.of(storeOptions);
  return directory ? { images: directory } : {};
}
