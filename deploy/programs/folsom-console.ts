import { commonOptions, loadConfig, RELEASE } from '@folsom/config';
import { consoleWebOptions, startConsoleWeb } from '@folsom/console-web';
import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { programLog } from '../program-log.ts';
import { runUntilSignal } from '../run.ts';

/** The web console for a cloud that runs elsewhere, an original's too: all it needs is `auth_url`. */
export async function main(argv: string[]): Promise<number> {
  const program = 'folsom-console';
  const config = loadConfig({
    program,
    declarations: [commonOptions, consoleWebOptions],
    files: ['/etc/folsom/console.conf'],
    argv,
    log: createLogger({ fields: { service: program } }),
  });
  if (config.wants) {
    process.stdout.write(config.wants === 'help' ? config.help() : `${RELEASE}\n`);
    return 0;
  }
  const log = programLog(config, program);
  log.debug('configuration', config.dump());
  const service = await startConsoleWeb({ config, world: { clock: systemClock, random: systemRandom, log } });
  log.info('ready', { addresses: service.addresses });
  return runUntilSignal(service, log);
}
