import { CommandLineError, formatHelp, parseFlags } from '@folsom/config';
import { Fault, must, sqlSeconds } from '@folsom/core';
import { openOperator } from '../domain/operator/index.ts';
import { CATEGORIES } from './categories.ts';
import {
  bindArguments,
  type Category,
  type Command,
  Exit,
  type ManageContext,
  type ManageSeam,
  WrongArguments,
} from './command.ts';
import { VERSION_TEXT } from './commands/version.ts';

/** Runs one nova-manage command line (without the program's own options) and gives the exit code. */
export async function runNovaManage(seam: ManageSeam, argv: readonly string[]): Promise<number> {
  const { openDatabase: _open, createNetworks: _create, cast: _cast, ...terminal } = seam;
  const { close, ...door } = openOperator(seam);
  const context: ManageContext = { ...terminal, ...door, print: (line = '') => seam.out(`${line}\n`) };
  try {
    return await dispatch(context, argv);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  } finally {
    await close();
  }
}

async function dispatch(context: ManageContext, argv: readonly string[]): Promise<number> {
  const { print } = context;
  const [word, ...more] = argv;
  if (word === undefined) {
    print(`\nOpenStack Nova version: ${VERSION_TEXT}\n`);
    print(`${context.script} category action [<args>]`);
    print('Available categories:');
    for (const { name } of CATEGORIES) print(`\t${name}`);
    return 2;
  }
  if (word === 'bash-completion') return complete(context, more[0]);
  const category = must(
    CATEGORIES[
      choose(
        context,
        word,
        CATEGORIES.map(item => item.name),
      )
    ],
    'CATEGORIES has it',
  );
  const names = actionNames(category);
  const [actionWord, ...given] = more;
  if (actionWord === undefined && category.alone === undefined) {
    print(`${context.script} category action [<args>]`);
    print(`Available actions for ${category.name} category:`);
    for (const name of names) print(`\t${name}`);
    return 2;
  }
  const action =
    actionWord === undefined
      ? must(category.alone, 'alone is there')
      : must(names[choose(context, actionWord, names)], 'names has it');
  const usage = `nova-manage ${category.name} ${actionWord === undefined ? '' : action} <args> [options]`;
  return run(context, action, must(category.actions[action], 'action is in actions'), usage, given);
}

const actionNames = (category: Category): string[] => Object.keys(category.actions).sort();

function complete(context: ManageContext, word: string | undefined): number {
  const names = CATEGORIES.map(item => item.name);
  const found =
    word === undefined
      ? names
      : actionNames(must(CATEGORIES[choose(context, word, names)], 'CATEGORIES has it'));
  context.print(found.join(' '));
  return 0;
}

/** The one name that begins with the word, in any case; says what there is when none or several do. */
function choose(context: ManageContext, word: string, names: readonly string[]): number {
  const found = names.filter(name => name.toLowerCase().startsWith(word.toLowerCase()));
  if (found.length === 1) return names.indexOf(must(found[0], 'found is not empty'));
  context.print(`${word} ${found.length === 0 ? 'does not match any' : 'matched multiple'} options:`);
  for (const name of found.length === 0 ? names : found) context.print(`\t${name}`);
  throw new Exit(2);
}

async function run(
  context: ManageContext,
  action: string,
  command: Command,
  usage: string,
  argv: readonly string[],
): Promise<number> {
  try {
    const parsed = parseFlags(command.flags, argv);
    if (parsed.help) {
      context.out(formatHelp(usage, command.flags));
      return 0;
    }
    const { args, further } = bindArguments(action, command, parsed.rest, parsed.values);
    await command.run(context, args, further);
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    if (error instanceof CommandLineError) {
      context.err(`Usage: ${usage}\n\nnova-manage: error: ${error.message}\n`);
      return 2;
    }
    if (error instanceof WrongArguments) {
      context.print('Possible wrong number of arguments supplied');
      context.print(command.doc ?? 'None');
      context.out(formatHelp(usage, command.flags));
    } else {
      context.print('Command failed, please check log for more info');
    }
    report(context, error as Error);
    return 1;
  }
}

/** What the operator reads on standard error; the stack only where the program itself is at fault. */
function report(context: ManageContext, error: Error): void {
  const expected = error instanceof Fault || error instanceof WrongArguments || error.name !== 'TypeError';
  const text = expected ? error.message : (error.stack ?? error.message);
  context.err(`${sqlSeconds(context.clock.now())} CRITICAL nova [-] ${text}\n`);
}
