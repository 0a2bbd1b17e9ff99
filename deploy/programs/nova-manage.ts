import { homedir } from 'node:os';
import { runNovaManage } from '@folsom/compute-api/manage';
import { CommandLineError, type Config, defaultConfigFiles, loadConfig } from '@folsom/config';
import { adminContext, createLogger, systemClock, systemRandom } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { createNetworks, networkDefaults } from '@folsom/network/create-networks';
import { novaOptions } from '@folsom/nova/options';
import { novaConf } from '../conf/nova.ts';
import { machineFacts } from '../machine-facts.ts';
import { openBus } from '../nova-daemon.ts';
import { readLine } from '../read-line.ts';

const USAGE = 'nova-manage [options]';

/** nova-manage: looks after nova's database. */
export async function main(argv: string[]): Promise<number> {
  const log = createLogger({ level: 'error', fields: { service: 'nova-manage' } });
  const world = { clock: systemClock, random: systemRandom, log };
  let config: Config;
  try {
    config = loadConfig({
      program: 'nova-manage',
      ...novaConf,
      files: defaultConfigFiles('nova', 'nova-manage', homedir()),
      facts: machineFacts(),
      interspersed: false,
      argv,
      log,
    });
    if (config.wants === 'version') throw new CommandLineError('no such option: --version');
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    process.stderr.write(`Usage: ${USAGE}\n\nnova-manage: error: ${error.message}\n`);
    return 2;
  }
  if (config.wants === 'help') {
    process.stdout.write(config.help(USAGE));
    return 0;
  }
  const options = config.of(novaOptions);
  const out = bufferedOutput();
  try {
    return await runNovaManage(
      {
        script: process.argv[1] ?? 'nova-manage',
        config,
        clock: systemClock,
        random: systemRandom,
        out: out.write,
        err: text => void process.stderr.write(text),
        ask: prompt => {
          out.write(prompt);
          out.flush();
          return readLine();
        },
        openDatabase: () => openDatabase({ connection: options.sql_connection, log }),
        createNetworks: (db, request) =>
          createNetworks(
            { db, random: systemRandom, now: systemClock.now() },
            request,
            networkDefaults(options),
          ),
        cast: async (topic, message) => {
          const bus = openBus(config, world);
          try {
            await bus.cast(adminContext(), topic, message);
          } finally {
            await bus.close();
          }
        },
        systemLogs: ['/var/log/syslog', '/var/log/messages'],
      },
      config.rest,
    );
  } finally {
    out.flush();
  }
}

const BUFFER_CHARS_MAX = 64 * 1024;

/** Long listings are many short lines: one write for many of them. */
function bufferedOutput(): { write(text: string): void; flush(): void } {
  let buffer = '';
  const flush = () => {
    if (buffer !== '') process.stdout.write(buffer);
    buffer = '';
  };
  return {
    flush,
    write: text => {
      buffer += text;
      if (buffer.length > BUFFER_CHARS_MAX) flush();
    },
  };
}
