import { imageOptions, startImageApi } from '@folsom/image';
import {
  configuredRegistry,
  configuredValidator,
  glanceProgram,
  notificationBus,
  openGlanceDatabase,
} from '../glance-program.ts';
import { configuredPolicy } from '../policy-file.ts';
import { runUntilSignal } from '../run.ts';

/** glance-api, configured by glance-api.conf. */
export async function main(argv: string[]): Promise<number> {
  const program = glanceProgram(argv, 'glance-api', ['/etc/glance/glance-api.conf']);
  if (!program) return 0;
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
