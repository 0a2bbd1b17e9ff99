import { loadConfig, RELEASE } from '@folsom/config';
import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { type Database, openDatabase } from '@folsom/db';
import { keystoneSqlOptions } from '@folsom/identity';
import { commands, listCommands, MissingParameter } from '@folsom/identity/manage';
import { keystoneConf } from '../conf/keystone.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);

/** keystone-manage: creates and looks after keystone's database, keys and certificates. */
export async function main(argv: string[]): Promise<number> {
  const log = createLogger({ level: 'warn', fields: { service: 'keystone-manage' } });
  const config = loadConfig({
    program: 'keystone-manage',
    ...keystoneConf,
    files: ['/etc/keystone/keystone.conf'],
    expected: group => /^(filter|app|pipeline|composite):/.test(group),
    argv,
    log,
  });
  const usage = config.help('keystone-manage COMMAND');
  if (config.wants === 'version') return say(RELEASE, 0);
  if (config.wants === 'help') return say(usage.trimEnd(), 0);
  const [name, ...args] = config.rest;
  if (name === undefined) return say(`${usage}${listCommands(commands)}`, 1);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    print(listCommands(commands));
    process.stderr.write(`Unknown command: ${name}\n`);
    return 1;
  }

  let opened: Database | undefined;
  try {
    return await command.run({
      config,
      args,
      print,
      world: { clock: systemClock, random: systemRandom, log },
      database: async () => {
        opened ??= await openDatabase({ connection: config.of(keystoneSqlOptions).connection, log });
        return opened;
      },
      openOther: connection => openDatabase({ connection, log, mustExist: true }),
    });
  } catch (error) {
    if (!(error instanceof MissingParameter)) throw error;
    return say(`${error.message}\n${usage}${listCommands(commands)}`, 1);
  } finally {
    await opened?.close();
  }
}

function say(text: string, code: number): number {
  print(text);
  return code;
}
