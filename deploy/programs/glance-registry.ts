import { authTokenSettings } from '@folsom/auth';
import { startRegistry } from '@folsom/image';
import { configuredValidator, glanceProgram, openGlanceDatabase } from '../glance-program.ts';
import { observe } from '../observe.ts';
import { runUntilSignal } from '../run.ts';

/** glance-registry, configured by glance-registry.conf. */
export async function main(argv: string[]): Promise<number> {
  const read = glanceProgram(argv, 'glance-registry', ['/etc/glance/glance-registry.conf']);
  if (!read) return 0;
  const observed = await observe(read.config, 'glance-registry', read.world);
  const program = { config: read.config, world: observed.world };
  const { config, world } = program;
  const db = await openGlanceDatabase(program);
  const validator = await configuredValidator(program);
  const close = async () => {
    await validator?.stop();
    await db.close();
    await observed.stop();
  };
  try {
    const service = await startRegistry({
      config,
      world,
      db,
      ...(validator ? { validator, authUri: authTokenSettings(config).authUri } : {}),
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
