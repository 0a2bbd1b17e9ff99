import { existsSync } from 'node:fs';
import { loadConfig } from '@folsom/config';
import { adminContext, createLogger, systemClock, systemRandom } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { leaseLines } from '@folsom/network/leases';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { novaConf } from '../conf/nova.ts';
import { openBus } from '../nova-daemon.ts';

/**
 * What dnsmasq calls for every lease: `add|old|del MAC ADDRESS [HOSTNAME]`, and `init` at its start. nova-network hands
 * dnsmasq a lighter script of its own; this program is for configurations that name it (`dhcpbridge`).
 */
export async function main(argv: string[]): Promise<number> {
  const [action, , address] = argv.filter(word => !word.startsWith('--'));
  if (argv.includes('-h') || argv.includes('--help')) {
    process.stdout.write(
      'Usage: nova-dhcpbridge add|old|del MAC ADDRESS [HOSTNAME]\n       nova-dhcpbridge init\n',
    );
    return 0;
  }
  // A renewed lease was told about when it was new.
  if (action === 'old') return 0;
  const log = createLogger({ level: 'warn', fields: { service: 'nova-dhcpbridge' } });
  const world = { clock: systemClock, random: systemRandom, log };
  const config = loadConfig({
    program: 'nova-dhcpbridge',
    ...novaConf,
    files: [configuration()],
    expected: () => true,
    argv: argv.filter(word => word.startsWith('--')),
    log,
  });
  const settings = config.of(novaOptions);
  if (action === 'add' || action === 'del') {
    const bus = openBus(config, world);
    const method = action === 'add' ? 'lease_fixed_ip' : 'release_fixed_ip';
    const topic = `${networkContract.topic}.${settings.host}`;
    await bus.cast(adminContext(), topic, { method, args: { address: address ?? '' } });
    await bus.close();
    return 0;
  }
  const networkId = Number(process.env.NETWORK_ID);
  if (!Number.isInteger(networkId)) {
    process.stderr.write("Environment variable 'NETWORK_ID' must be set.\n");
    return 1;
  }
  const db = await openDatabase({ connection: settings.sql_connection, log });
  try {
    const lines = await leaseLines(db, networkId, settings, systemClock.now());
    process.stdout.write(lines.map(line => `${line}\n`).join(''));
    return 0;
  } finally {
    await db.close();
  }
}

/** What nova-network says (`dhcpbridge_flagfile`), where there is such a file. */
function configuration(): string {
  const named = process.env.FLAGFILE;
  return named !== undefined && existsSync(named) ? named : '/etc/nova/nova.conf';
}
