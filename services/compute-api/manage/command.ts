import type { Flag } from '@folsom/config';
import type { Random } from '@folsom/core';
import { must } from '@folsom/core';
import type { OperatorDoor, OperatorSeam } from '../domain/operator/index.ts';

/** What nova-manage is given. */
export interface ManageSeam extends OperatorSeam {
  /** How the program was called, e.g. `/usr/bin/nova-manage`. */
  script: string;
  random: Random;
  /** Standard output and error, whole texts. */
  out(text: string): void;
  err(text: string): void;
  /** Prints the prompt and reads one line from the operator. */
  ask(prompt: string): string;
  /** Where the system's log may be; the first that exists is read. */
  systemLogs: readonly string[];
}

/** What every command sees: the operator's domain and a terminal, no database. */
export interface ManageContext
  extends Omit<ManageSeam, 'openDatabase' | 'createNetworks' | 'cast'>,
    Omit<OperatorDoor, 'close'> {
  print(line?: string): void;
}

/** Values by parameter; a parameter that was not given is absent. */
export type Args = Readonly<Record<string, string | undefined>>;

export interface Command {
  /** First line of the help; printed when the arguments do not fit. Null: none. */
  doc: string | null;
  flags: readonly Flag[];
  /** Parameters in the order in which they may be given without their flag. */
  parameters: readonly string[];
  /** How many of them must be given. */
  required: number;
  /** Takes any number of further arguments. */
  variadic?: boolean;
  run(context: ManageContext, args: Args, further: readonly string[]): Promise<void> | void;
}

export interface Category {
  name: string;
  actions: Readonly<Record<string, Command>>;
  /** Action run when none is named. */
  alone?: string;
}

/** Ends the program with a code after the command has said why. */
export class Exit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** The arguments do not fit the command. */
export class WrongArguments extends Error {}

/** Matches what was given to the parameters, with Python's sentences for what does not fit. */
export function bindArguments(
  action: string,
  command: Command,
  positional: readonly string[],
  named: Readonly<Record<string, string | true>>,
): { args: Args; further: string[] } {
  const { parameters, required } = command;
  const defaults = parameters.length > required;
  const takes = (bound: string, count: number, given: number) =>
    new WrongArguments(
      `${action}() takes ${bound} ${count} argument${count === 1 ? '' : 's'} (${given} given)`,
    );
  if (positional.length > parameters.length && !command.variadic) {
    const given = 1 + positional.length + Object.keys(named).length;
    throw takes(defaults ? 'at most' : 'exactly', parameters.length + 1, given);
  }
  const args: Record<string, string> = {};
  positional.slice(0, parameters.length).forEach((value, index) => {
    args[must(parameters[index], 'index is in parameters')] = value;
  });
  for (const [name, value] of Object.entries(named)) {
    if (name in args)
      throw new WrongArguments(`${action}() got multiple values for keyword argument '${name}'`);
    args[name] = String(value);
  }
  if (parameters.slice(0, required).some(name => args[name] === undefined)) {
    const exact = defaults || command.variadic ? 'at least' : 'exactly';
    throw takes(exact, required + 1, 1 + Object.keys(args).length);
  }
  return { args, further: positional.slice(parameters.length) };
}

/** A whole number, with Python's sentence for anything else. */
export function wholeNumber(text: string): number {
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text)) {
    throw new Error(`invalid literal for int() with base 10: ${JSON.stringify(text).replace(/^"|"$/g, "'")}`);
  }
  return Number(text);
}
