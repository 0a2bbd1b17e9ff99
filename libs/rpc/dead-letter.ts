import { isSecretName, MASK } from '@folsom/core';

/**
 * A message that is given up, as it is kept for an operator: tokens, passwords and files for the guest are of no use any
 * more, and would lie where nothing expires.
 */
export function deadText(text: string): string {
  return JSON.stringify(JSON.parse(text), (key, value: unknown) => {
    if (value === null || value === '') return value;
    if (isSecretName(key)) return MASK;
    return key === 'injected_files' ? namesOf(value) : value;
  });
}

/** `[path, contents]` pairs without the contents. */
const namesOf = (files: unknown): unknown =>
  Array.isArray(files) ? files.map(file => (Array.isArray(file) ? [file[0], MASK] : MASK)) : MASK;
