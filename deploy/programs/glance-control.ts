import { writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CommandLineError, type Config, defaultConfigFiles, loadConfig, RELEASE } from '@folsom/config';
import { createLogger, systemClock } from '@folsom/core';
import { startBackground } from '@folsom/host/background';
import { controlOptions, runControl } from '@folsom/image/manage';
import { glanceConf } from '../conf/glance.ts';

const USAGE = `glance-control [options] <SERVER> <COMMAND> [CONFPATH]

Where <SERVER> is one of:

    all, api, registry, scrubber

And command is one of:

    start, stop, shutdown, restart, reload, force-reload

And CONFPATH is the optional configuration file to use.`;

/** glance-control: starts and stops the servers of glance in the background. */
export async function main(argv: string[]): Promise<number> {
  let config: Config;
  try {
    config = loadConfig({
      program: 'glance-control',
      declarations: [controlOptions, ...glanceConf.declarations],
      notHonoured: glanceConf.notHonoured,
      files: defaultConfigFiles('glance', 'glance-control', homedir()),
      argv,
      log: createLogger({ level: 'error', fields: { service: 'glance-control' } }),
    });
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    process.stderr.write(`Usage: ${USAGE}\n\nglance-control: error: ${error.message}\n`);
    return 2;
  }
  if (config.wants) {
    process.stdout.write(config.wants === 'help' ? config.help(USAGE) : `${RELEASE}\n`);
    return 0;
  }
  if (config.rest.length < 2) {
    process.stdout.write(`Usage: ${USAGE}\n\n`);
    return 1;
  }
  const { pid_file, await_child, capture_output, respawn } = config.of(controlOptions);
  let code: number;
  try {
    code = await runControl(
      {
        clock: systemClock,
        pidFile: pid_file,
        awaitChildMs: await_child * 1000,
        captureOutput: capture_output,
        respawn,
        runDir: '/var/run/glance',
        print: line => void writeSync(1, `${line}\n`),
        launch: async (server, args, logFile) => {
          const program = fileURLToPath(new URL(`../bin/${server}.mjs`, import.meta.url));
          const started = await startBackground([process.execPath, program, ...args], {
            env: process.env as Record<string, string>,
            ...(logFile === undefined ? {} : { logFile }),
          });
          return { pid: started.pid, ended: started.ended.then(end => end.code) };
        },
        isRunning: pid => signalled(pid, 0),
        terminate: pid => signalled(pid, 'SIGTERM'),
      },
      config.rest,
    );
  } catch (error) {
    writeSync(2, `${(error as Error).message}\n`);
    code = 1;
  }
  // The servers started go on; nothing of them may keep this program from ending.
  process.exit(code);
}

function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return signal === 0;
    return false;
  }
}
