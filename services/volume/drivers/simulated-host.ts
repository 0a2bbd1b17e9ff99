import { readFileSync } from 'node:fs';
import { must } from '@folsom/core';
import type { RunResult } from '@folsom/host';
import type { Runner } from '@folsom/host/runner';

/** A host with LVM and tgt in memory, for tests: it knows the commands that our drivers give. */
export interface SimulatedHost {
  runner: Runner;
  /** Every command, in order. */
  commands: string[];
  /** Logical volumes, `group/name`; snapshots with what they stand on. */
  volumes: Map<string, { origin?: string }>;
}

export function simulatedHost(group: string): SimulatedHost {
  const commands: string[] = [];
  const volumes: SimulatedHost['volumes'] = new Map();
  const targets = new Map<string, number>();
  const answer = (stdout = ''): RunResult => ({ code: 0, stdout, stderr: '' });
  const missing: RunResult = { code: 5, stdout: '', stderr: 'Failed to find logical volume' };
  let serial = 0;

  const programs: Record<string, (args: readonly string[]) => RunResult> = {
    vgs: () => answer(`  ${group}\n`),
    lvcreate: args => {
      const snapshot = args.indexOf('--snapshot');
      if (snapshot > 0)
        volumes.set(`${group}/${args[args.indexOf('--name') + 1]}`, {
          origin: must(args[snapshot + 1], 'snapshot + 1 is in args'),
        });
      else volumes.set(`${args.at(-1)}/${args[args.indexOf('-n') + 1]}`, {});
      return answer();
    },
    lvdisplay: args => {
      const name = must(args.at(-1), 'args is not empty');
      if (!volumes.has(name)) return missing;
      const isOrigin = [...volumes.values()].some(({ origin }) => origin === name);
      return answer(isOrigin ? '  owi-a-s---\n' : '  -wi-a-----\n');
    },
    lvremove: args => (volumes.delete(must(args.at(-1), 'args is not empty')) ? answer() : missing),
    dd: () => answer(),
    'tgt-admin': args => {
      if (args[0] === '--show')
        return answer(
          [...targets].map(([iqn, tid]) => `Target ${tid}: ${iqn}\n    System information:\n`).join(''),
        );
      if (args.includes('--delete')) targets.delete(must(args.at(-1), 'args is not empty'));
      else if (
        readFileSync(must(args[args.indexOf('--conf') + 1], 'args has it'), 'utf8').includes(
          `<target ${args.at(-1)}>`,
        )
      )
        targets.set(must(args.at(-1), 'args is not empty'), ++serial);
      return answer();
    },
  };
  const runner: Runner = Object.assign(
    async (argv: readonly string[]) => {
      commands.push(argv.join(' '));
      const program = programs[must(argv[0], 'argv is not empty')];
      if (program === undefined) throw new Error(`no program ${argv[0]}`);
      return program(argv.slice(1));
    },
    { prefix: [] as readonly string[] },
  );
  return { runner, commands, volumes };
}
