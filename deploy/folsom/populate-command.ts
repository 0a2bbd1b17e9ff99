import { type Command, Option } from 'commander';
import { portsOffset } from './command-line.ts';
import { PARTS, portsWithOffset } from './layout.ts';

const SECRETS = `
The environment gives FOLSOM_ADMIN_TOKEN, keystone's admin_token, and FOLSOM_PASSWORD, the password of every user it makes.`;
const POPULATE_TIMEOUT_MS = 30_000;

interface PopulateCommand {
  adminUrl: string;
  hostIp: string;
  portsOffset: number;
  without: readonly string[];
}

/** `folsom populate`. */
export function addPopulate(program: Command): void {
  program
    .command('populate')
    .description(
      'tenants, users, roles and the catalog for a keystone that runs elsewhere; repeated, it adds what is missing',
    )
    .option('--admin-url <url>', "keystone's admin API", 'http://127.0.0.1:35357/v2.0')
    .option('--host-ip <address>', 'the address in the catalog', '127.0.0.1')
    .addOption(portsOffset())
    .addOption(
      new Option('--without <types>', 'what the catalog leaves out, e.g. volume,ec2')
        .argParser((text: string) => text.split(','))
        .default([], 'nothing'),
    )
    .addHelpText('after', SECRETS)
    .action(async (options: PopulateCommand) => {
      const { FOLSOM_ADMIN_TOKEN: adminToken, FOLSOM_PASSWORD: password } = process.env;
      if (!adminToken || !password)
        throw new Error('the environment must give FOLSOM_ADMIN_TOKEN and FOLSOM_PASSWORD');
      const { populate } = await import('./bootstrap.ts');
      await populate({
        adminUrl: options.adminUrl,
        hostIp: options.hostIp,
        ports: portsWithOffset(options.portsOffset),
        parts: PARTS,
        without: options.without,
        secrets: { adminToken, adminPassword: password, demoPassword: password, servicePassword: password },
        timeoutMs: POPULATE_TIMEOUT_MS,
      });
    });
}
