import { bool, loadConfig, options, RELEASE } from '@folsom/config';
import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { deleteQueues, rpcOptions } from '@folsom/rpc';
import { novaConf } from '../conf/nova.ts';

const clearOptions = options('DEFAULT', {
  delete_exchange: bool(false, 'Delete the exchange (control_exchange) too'),
});

/** nova-clear-rabbit-queues: deletes the queues named, and what waits in them. */
export async function main(argv: string[]): Promise<number> {
  const log = createLogger({ level: 'warn', fields: { service: 'nova-clear-rabbit-queues' } });
  const config = loadConfig({
    program: 'nova-clear-rabbit-queues',
    declarations: [clearOptions, ...novaConf.declarations],
    notHonoured: novaConf.notHonoured,
    files: ['/etc/nova/nova.conf'],
    argv,
    log,
  });
  if (config.wants) {
    const usage = 'nova-clear-rabbit-queues [options] QUEUE...';
    process.stdout.write(config.wants === 'help' ? config.help(usage) : `${RELEASE}\n`);
    return 0;
  }
  const settings = config.of(rpcOptions);
  await deleteQueues(
    settings,
    { clock: systemClock, random: systemRandom, log },
    {
      queues: config.rest,
      ...(config.of(clearOptions).delete_exchange ? { exchange: settings.control_exchange } : {}),
    },
  );
  return 0;
}
