import { authTokenSettings } from '@folsom/auth';
import { startRegistry } from '@folsom/image';
import { configuredValidator, glanceProgram, openGlanceDatabase } from '../glance-program.ts';
import { runUntilSignal } from '../run.ts';

/** glance-registry, configured by glance-registry.conf. */
export async function main(argv: string[]): Promise<number> {
  const program = glanceProgram(argv, 'glance-registry', ['/etc/glance/glance-registry.conf']);
  if (!program) return 0;
  const { config, world } = program;
  const db = await openGlanceDatabase(program);
  const validator = await configuredValidator(program);
  const close = async () => {
    await validator?.stop();
    await db.close();
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
