import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { must } from '@folsom/core';
import { PickleError } from '@folsom/pickle';
import { newBuilder, pretendMinPartHoursPassed, type RingBuilder, ringDataOf, validate } from './builder.ts';
import { decodeBuilder, encodeBuilder } from './builder-file.ts';
import { type BuilderCommandWorld, type CommandRun, EXIT, Refused } from './command.ts';
import { addDevices, removeDevices, setInfo, setWeights } from './device-commands.ts';
import { rebalanceCommand } from './rebalance-command.ts';
import { encodeRing } from './ring-data.ts';
import { pythonRepr } from './search.ts';
import { deviceTable, listParts, ringSummary, searchTable } from './tables.ts';
import { SEARCH_VALUE_USAGE, USAGE } from './usage.ts';
import { writeWhole } from './write-whole.ts';

type Command = (run: CommandRun) => number;

const print = (run: BuilderCommandWorld, ...lines: string[]): void => run.out(`${lines.join('\n')}\n`);

/**
 * swift-ring-builder. `argv` is what follows the program's name. Returns the exit status: 0 done, 1 with a warning
 * (or a mistake that swift does not expect), 2 refused.
 */
export function runRingBuilder(argv: readonly string[], world: BuilderCommandWorld): number {
  try {
    return dispatch(argv, world);
  } catch (error) {
    if (error instanceof Refused) {
      if (error.message !== '') world.out(`${error.message}\n`);
      return EXIT.error;
    }
    // What stopped the original with a trace stops this with its last line.
    const name = error instanceof PickleError ? 'UnpicklingError' : (error as Error).name;
    world.err(`${name}: ${(error as Error).message}\n`);
    return EXIT.warning;
  }
}

function dispatch(argv: readonly string[], world: BuilderCommandWorld): number {
  const [builderFile, name = 'default', ...args] = argv;
  if (builderFile === undefined) {
    world.out(help());
    return EXIT.success;
  }
  let builder: RingBuilder;
  if (existsSync(builderFile)) {
    builder = decodeBuilder(readFileSync(builderFile));
  } else {
    if (name !== 'create') throw new Refused(`Ring Builder file does not exist: ${builderFile}`);
    builder = newBuilder(1, 1, 1);
  }
  const backupDir = join(dirname(builderFile), 'backups');
  mkdirSync(backupDir, { recursive: true });
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name as keyof typeof COMMANDS] : null;
  if (!command) {
    world.err(`Unknown command: ${name}\n`);
    return EXIT.warning;
  }
  return command({
    ...world,
    builder,
    builderFile,
    ringFile: `${builderFile.replace(/\.builder$/, '')}.ring.gz`,
    backupDir,
    args,
  });
}

const COMMANDS = {
  default: run => {
    print(run, ...ringSummary(run.builder, run.builderFile));
    if (run.builder.devices.length > 0) print(run, ...deviceTable(run.builder));
    return EXIT.success;
  },

  create: run => {
    if (run.args.length < 3) return usage(run, USAGE.create);
    const [power, replicas, hours] = run.args.map(wholeNumber) as [number, number, number];
    run.builder = newBuilder(power, replicas, hours);
    saveBuilder(run, true);
    return EXIT.success;
  },

  search: run => {
    if (run.args.length < 1) return usage(run, USAGE.search, SEARCH_VALUE_USAGE);
    print(run, ...searchTable(run.builder, must(run.args[0], 'args is not empty')));
    return EXIT.success;
  },

  list_parts: run => {
    if (run.args.length < 1) return usage(run, USAGE.list_parts, SEARCH_VALUE_USAGE);
    print(run, ...listParts(run.builder, run.args));
    return EXIT.success;
  },

  add: run => {
    if (run.args.length < 2 || run.args.length % 2 !== 0) return usage(run, USAGE.add);
    return changeDevices(run, addDevices);
  },

  set_weight: run => {
    if (run.args.length < 2 || run.args.length % 2 !== 0)
      return usage(run, USAGE.set_weight, SEARCH_VALUE_USAGE);
    return changeDevices(run, setWeights);
  },

  set_info: run => {
    if (run.args.length < 2 || run.args.length % 2 !== 0)
      return usage(run, USAGE.set_info, SEARCH_VALUE_USAGE);
    return changeDevices(run, setInfo);
  },

  remove: run => {
    if (run.args.length < 1) return usage(run, USAGE.remove, SEARCH_VALUE_USAGE);
    return changeDevices(run, removeDevices);
  },

  rebalance: run => {
    const status = rebalanceCommand(run);
    if (status.save) {
      saveRing(run);
      saveBuilder(run, true);
    }
    return status.exit;
  },

  validate: run => {
    validate(run.builder);
    return EXIT.success;
  },

  write_ring: run => {
    if (!run.builder.rows) {
      print(
        run,
        run.builder.devices.length > 0
          ? 'Warning: Writing a ring with no partition assignments but with devices; did you forget to run "rebalance"?'
          : 'Warning: Writing an empty ring',
      );
    }
    saveRing(run);
    return EXIT.success;
  },

  pretend_min_part_hours_passed: run => {
    pretendMinPartHoursPassed(run.builder);
    saveBuilder(run);
    return EXIT.success;
  },

  set_min_part_hours: run => {
    if (run.args.length < 1) return usage(run, USAGE.set_min_part_hours);
    run.builder.minPartHours = wholeNumber(must(run.args[0], 'args is not empty'));
    print(
      run,
      `The minimum number of hours before a partition can be reassigned is now set to ${run.args[0]}`,
    );
    saveBuilder(run);
    return EXIT.success;
  },
} satisfies Record<string, Command>;

/** All changes of one command are written together, or none. */
function changeDevices(run: CommandRun, change: (run: CommandRun) => void): number {
  change(run);
  saveBuilder(run);
  return EXIT.success;
}

function usage(run: CommandRun, ...texts: string[]): number {
  run.out(`${texts.join('\n\n')}\n`);
  return EXIT.error;
}

function saveBuilder(run: CommandRun, backup = false): void {
  const bytes = encodeBuilder(run.builder);
  if (backup) writeWhole(backupPath(run, run.builderFile), bytes);
  writeWhole(run.builderFile, bytes);
}

function saveRing(run: CommandRun): void {
  const bytes = encodeRing(ringDataOf(run.builder));
  writeWhole(backupPath(run, run.ringFile), bytes);
  writeWhole(run.ringFile, bytes);
}

const backupPath = (run: CommandRun, file: string): string =>
  join(run.backupDir, `${Math.floor(run.clock.now() / 1000)}.${basename(file)}`);

function wholeNumber(text: string): number {
  if (/^\s*[+-]?\d+\s*$/.test(text)) return Number(text);
  const error = new Error(`invalid literal for int() with base 10: ${pythonRepr(text)}`);
  error.name = 'ValueError';
  throw error;
}

/** Every command's usage, the search values and the exit codes. */
function help(): string {
  const named = Object.keys(USAGE)
    .filter(name => name !== 'default')
    .sort() as (keyof typeof USAGE)[];
  return [
    'swift-ring-builder 1.3\n',
    `${USAGE.default}\n`,
    ...named.map(name => `${USAGE[name]}\n`),
    `${SEARCH_VALUE_USAGE}\n`,
    ...wrapWords(`Quick list: ${named.join(' ')}`, 79, '            '),
    'Exit codes: 0 = operation successful',
    '            1 = operation completed with warnings',
    '            2 = error',
    '',
  ].join('\n');
}

function wrapWords(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
