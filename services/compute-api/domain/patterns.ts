import { must } from '@folsom/core';
import type { Knex } from '@folsom/db';
import { computeFault } from './faults.ts';

/** Longest expression of a filter. */
const PATTERN_CHARS_MAX = 255;

/**
 * Narrows a query to rows whose column matches an expression, as Folsom's listings do: somewhere in the text unless
 * anchored, letters in either case. Only what a database can answer without running an expression is understood
 * (`^`, `$`, `.`, `.*`, `\`-escapes); the rest is refused, since an expression made by a user can take for ever.
 *
 * @throws Fault `InvalidFilterExpression`
 */
export function matching(query: Knex.QueryBuilder, column: string, pattern: string): void {
  query.whereRaw("?? LIKE ? ESCAPE '!'", [column, likeOf(pattern)]);
}

/** The same for texts that no database has. @throws Fault `InvalidFilterExpression` */
export function matcherOf(pattern: string): (text: string) => boolean {
  const expression = likeOf(pattern).replace(/!(.)|[%_]|[^\w]/g, (word, escaped?: string) => {
    if (word === '%') return '.*';
    return word === '_' ? '.' : (escaped ?? word).replace(/\W/g, '\\$&');
  });
  const compiled = new RegExp(`^${expression}$`, 'i');
  return text => compiled.test(text);
}

/** The LIKE pattern (escape character `!`) that means the same as the expression. @throws Fault `InvalidFilterExpression` */
export function likeOf(pattern: string): string {
  if (pattern.length > PATTERN_CHARS_MAX) throw invalid('The filter expression is too long');
  let at = 0;
  let like = '%';
  if (pattern.startsWith('^')) {
    like = '';
    at = 1;
  }
  let anchored = false;
  for (; at < pattern.length; at++) {
    const c = must(pattern[at], 'at is in pattern');
    if (c === '$' && at === pattern.length - 1) {
      anchored = true;
    } else if (c === '.') {
      const next = pattern[at + 1];
      if (next === '*') like += '%';
      else if (next === '+') like += '_%';
      else like += '_';
      if (next === '*' || next === '+') at += 1;
      else if (next === '?' || next === '{') throw unsupported();
    } else if (c === '\\') {
      const next = pattern[++at];
      if (next === undefined || /[A-Za-z0-9]/.test(next)) throw unsupported();
      like += literal(next);
    } else if ('[](){}|*+?^$'.includes(c)) {
      throw unsupported();
    } else {
      like += literal(c);
    }
  }
  return anchored ? like : `${like}%`;
}

const literal = (c: string): string => (c === '%' || c === '_' || c === '!' ? `!${c}` : c);

const invalid = (reason: string) => computeFault('InvalidFilterExpression', { reason });

const unsupported = () =>
  invalid(
    'The filter expression may use only ^, $, ., .* and .+; put a backslash before other special characters',
  );
