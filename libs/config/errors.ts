/** A mistake of the operator: one sentence that names the file, line and option. Programs print it and exit 1. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
}

/** A mistake on the command line; programs of 2012 print their usage before it and exit 2. */
export class CommandLineError extends ConfigError {
  override readonly name = 'CommandLineError';
}

/** Where a value was written. */
export interface Origin {
  /** File name, `command line`, or `default`. */
  file: string;
  /** Line number from 1; 0 where there are no lines. */
  line: number;
}

export const showOrigin = (origin: Origin): string =>
  origin.line > 0 ? `${origin.file}:${origin.line}` : origin.file;
