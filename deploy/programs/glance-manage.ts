import { homedir } from 'node:os';
import { CommandLineError, type Config, defaultConfigFiles, loadConfig, RELEASE } from '@folsom/config';
import { createLogger } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { imageOptions } from '@folsom/image';
import { GLANCE_MANAGE_USAGE, runGlanceManage } from '@folsom/image/manage';
import { glanceConf } from '../conf/glance.ts';

/** glance-manage: looks after glance's database, as glance-registry.conf names it. */
export async function main(argv: string[]): Promise<number> {
  const log = createLogger({ level: 'error', fields: { service: 'glance-manage' } });
  let config: Config;
  try {
    config = loadConfig({
      program: 'glance-manage',
      ...glanceConf,
      files: defaultConfigFiles('glance', 'glance-registry', homedir()),
      argv,
      log,
    });
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    process.stderr.write(`Usage: ${GLANCE_MANAGE_USAGE}\n\nglance-manage: error: ${error.message}\n`);
    return 2;
  }
  if (config.wants) {
    process.stdout.write(config.wants === 'help' ? config.help(GLANCE_MANAGE_USAGE) : `${RELEASE}\n`);
    return 0;
  }
  const connection = config.of(imageOptions).sql_connection;
  return runGlanceManage(
    {
      connection,
      openDatabase: () => openDatabase({ connection, log }),
      out: text => void process.stdout.write(text),
      err: text => void process.stderr.write(text),
    },
    config.rest,
  );
}
