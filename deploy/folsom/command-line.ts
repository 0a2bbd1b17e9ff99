import { resolve } from 'node:path';
import { type LogLevel, type ModuleLevels, parseLogLevels } from '@folsom/core';
import { InvalidArgumentError, Option } from 'commander';
import { parseSetting } from './config-command.ts';
import { type Layout, layoutOf, PARTS, type PartName } from './layout.ts';
import type { Setting } from './part.ts';

// What the commands of `folsom` share: their output, their options and how these are read.

export const print = (line: string) => void process.stdout.write(`${line}\n`);

export function whole(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least} up.`);
    return value;
  };
}

export function parts(text: string): PartName[] {
  const given = text.split(',');
  const strange = given.find(name => !(PARTS as readonly string[]).includes(name));
  if (strange !== undefined)
    throw new InvalidArgumentError(`There are ${PARTS.join(', ')}, and no ${strange || 'empty name'}.`);
  if (given.includes('compute') && !given.includes('image'))
    throw new InvalidArgumentError('Compute needs image.');
  return PARTS.filter(part => part === 'identity' || given.includes(part));
}

export function settings(text: string, before: Setting[]): Setting[] {
  try {
    return [...before, parseSetting(text)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

export const stateDir = () => new Option('--state-dir <dir>', 'where everything is kept').default('./var');
export const hostIp = () =>
  new Option('--host-ip <address>', 'address the services listen on').default('127.0.0.1');
export const portsOffset = () =>
  new Option('--ports-offset <n>', 'added to every port').default(0).argParser(whole(-4000));

/** What every command that looks after a cloud is told. */
export interface Where {
  stateDir: string;
}
export const layoutAt = ({ stateDir: dir }: Where): Layout => layoutOf(resolve(dir));

/** Takes the exit code of the command that ran. */
export type Done = (code: number) => void;

/** `warn,nova-compute=debug` */
export const logLevels = (text: string): { level: LogLevel; modules: ModuleLevels } => {
  try {
    const { level, modules } = parseLogLevels(text.split(','));
    return { level: level ?? 'debug', modules };
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
};
