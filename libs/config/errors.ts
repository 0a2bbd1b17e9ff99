/** A mistake of the operator: one sentence that names the file, line and option. Programs print it and exit 1. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
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
