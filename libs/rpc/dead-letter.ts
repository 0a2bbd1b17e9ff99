import { isSecretName, MASK } from '@folsom/core';

/**
 * A message that is given up, as it is kept for an operator: tokens, passwords and files for the guest are of no use any
 * more, and would lie where nothing expires.
 */
export const deadText = (text: string): string => JSON.stringify(JSON.parse(text), masked);

/** What a message asks for, for whoever may know that it was asked, and not what it was to keep secret. */
export const withoutSecrets = (args: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(args, masked)) as Record<string, unknown>;

function masked(key: string, value: unknown): unknown {
  if (value === null || value === '') return value;
  if (isSecretName(key) || key === 'file_contents') return MASK;
  return key === 'injected_files' ? namesOf(value) : value;
}

/** `[path, contents]` pairs without the contents. */
const namesOf = (files: unknown): unknown =>
  Array.isArray(files) ? files.map(file => (Array.isArray(file) ? [file[0], MASK] : MASK)) : MASK;
