import type { Clock, Random } from '@folsom/core';
import type { RingBuilder } from './builder.ts';

export interface BuilderCommandWorld {
  clock: Clock;
  random: Random;
  /** Receive text as it comes, newlines included. */
  out(text: string): void;
  err(text: string): void;
  /** Asks the operator; the answer without its newline. */
  ask(prompt: string): string;
}

export const EXIT = { success: 0, warning: 1, error: 2 } as const;

export interface CommandRun extends BuilderCommandWorld {
  builder: RingBuilder;
  builderFile: string;
  ringFile: string;
  backupDir: string;
  /** What follows the command. */
  args: readonly string[];
}

/** A command that stops with exit status 2 after the message; nothing it changed is written. */
export class Refused extends Error {}
