import { parseNumber } from './numbers.ts';

type Compare = (value: unknown, asked: string) => boolean;

const numbers =
  (compare: (a: number, b: number) => boolean): Compare =>
  (value, asked) => {
    const left = parseNumber(value);
    const right = parseNumber(asked);
    return left !== undefined && right !== undefined && compare(left, right);
  };

const texts =
  (compare: (a: string, b: string) => boolean): Compare =>
  (value, asked) =>
    typeof value === 'string' && compare(value, asked);

const OPERATORS: Readonly<Record<string, Compare>> = {
  // "At least": Folsom's oldest operator, named like equality.
  '=': numbers((a, b) => a >= b),
  '==': numbers((a, b) => a === b),
  '!=': numbers((a, b) => a !== b),
  '>=': numbers((a, b) => a >= b),
  '<=': numbers((a, b) => a <= b),
  's==': texts((a, b) => a === b),
  's!=': texts((a, b) => a !== b),
  's<': texts((a, b) => a < b),
  's<=': texts((a, b) => a <= b),
  's>': texts((a, b) => a > b),
  's>=': texts((a, b) => a >= b),
  '<in>': (value, asked) =>
    (typeof value === 'string' || Array.isArray(value)) && (value as string).includes(asked),
};

/**
 * Whether a capability meets an extra spec: `>= 4`, `s== x86_64`, `<in> vmx`, `<or> a <or> b`; without an operator the
 * texts must be equal.
 */
export function meetsSpec(value: unknown, asked: string): boolean {
  const [operator = '', ...words] = asked.split(/\s+/).filter(word => word !== '');
  if (operator === '<or>') {
    return value !== undefined && value !== null && words.some((word, at) => at % 2 === 0 && word === value);
  }
  const compare = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  if (compare === undefined) return value === asked;
  if (value === undefined || value === null || words[0] === undefined) return false;
  return compare(value, words[0]);
}

/** Extra specs without a scope (`scope:name` belongs to somebody else). */
export const unscopedSpecs = (specs: Readonly<Record<string, string>> | undefined): [string, string][] =>
  Object.entries(specs ?? {}).filter(([key]) => !key.includes(':'));
