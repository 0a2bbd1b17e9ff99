import { must } from '@folsom/core';
/**
 * Folsom's rule language. A rule is either text (`role:admin or rule:owner`, with `and`, `or`, `not`, parentheses, `@`
 * always, `!` never, empty text always) or the older list form: a list of alternatives, each a list of checks that must
 * all hold (`[["role:admin"], ["project_id:%(project_id)s"]]`, `[]` always).
 */
export type Rule =
  | { kind: 'always' }
  | { kind: 'never' }
  | { kind: 'not'; rule: Rule }
  | { kind: 'and'; rules: Rule[] }
  | { kind: 'or'; rules: Rule[] }
  | { kind: 'rule'; name: string }
  | { kind: 'role'; name: string }
  | { kind: 'match'; credential: string; template: string };

/** A policy file that cannot be understood; the message names the rule. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

const DEPTH_MAX = 32;

/** Parses the value of one entry of policy.json. */
export function parseRule(name: string, value: unknown): Rule {
  if (typeof value === 'string') return parseText(name, value);
  if (Array.isArray(value)) return parseList(name, value);
  throw new PolicyError(`policy rule "${name}" must be a text or a list`);
}

function parseList(name: string, alternatives: unknown[]): Rule {
  if (alternatives.length === 0) return { kind: 'always' };
  const rules: Rule[] = [];
  for (const alternative of alternatives) {
    const checks = typeof alternative === 'string' ? [alternative] : alternative;
    if (!Array.isArray(checks))
      throw new PolicyError(`policy rule "${name}" holds something that is no list`);
    if (checks.length === 0) continue;
    rules.push(
      all(
        checks.map(check => {
          if (typeof check !== 'string')
            throw new PolicyError(`policy rule "${name}" holds a check that is no text`);
          return parseCheck(name, check);
        }),
      ),
    );
  }
  return any(rules);
}

const all = (rules: Rule[]): Rule =>
  rules.length === 1 ? must(rules[0], 'rules is not empty') : { kind: 'and', rules };
const any = (rules: Rule[]): Rule =>
  rules.length === 0
    ? { kind: 'never' }
    : rules.length === 1
      ? must(rules[0], 'rules is not empty')
      : { kind: 'or', rules };

function parseCheck(name: string, text: string): Rule {
  if (text === '@') return { kind: 'always' };
  if (text === '!') return { kind: 'never' };
  const colon = text.indexOf(':');
  if (colon < 0) throw new PolicyError(`policy rule "${name}" holds the check "${text}" without a colon`);
  const kind = text.slice(0, colon);
  const match = text.slice(colon + 1);
  if (kind === 'rule') return { kind: 'rule', name: match };
  if (kind === 'role') return { kind: 'role', name: match.toLowerCase() };
  if (kind === 'http' || kind === 'https') {
    throw new PolicyError(`policy rule "${name}": checks by a remote server ("${text}") are not supported`);
  }
  return { kind: 'match', credential: kind, template: match };
}

/** Splits at blanks and parentheses; `%(name)s` is part of its check and quotes protect blanks. */
function tokens(name: string, text: string): string[] {
  const found: string[] = [];
  const pattern = /\s+|\(|\)|(?:'[^']*'|"[^"]*"|%\(\w+\)s|[^\s()'"])+/y;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const token = pattern.exec(text)?.[0];
    if (token === undefined)
      throw new PolicyError(`policy rule "${name}" cannot be read at "${text.slice(at)}"`);
    at += token.length;
    if (token.trim() !== '') found.push(token);
  }
  return found;
}

function parseText(name: string, text: string): Rule {
  const list = tokens(name, text);
  if (list.length === 0) return { kind: 'always' };
  let at = 0;
  const fail = (): never => {
    throw new PolicyError(`policy rule "${name}" cannot be read: "${text}"`);
  };
  const primary = (depth: number): Rule => {
    if (depth > DEPTH_MAX) fail();
    const token = list[at++] ?? fail();
    if (token === '(') {
      const inner = either(depth + 1);
      if (list[at++] !== ')') fail();
      return inner;
    }
    const word = token.toLowerCase();
    if (word === 'not') return { kind: 'not', rule: primary(depth + 1) };
    if (token === ')' || word === 'and' || word === 'or') fail();
    return parseCheck(name, token.replace(/^(['"])(.*)\1$/, '$2'));
  };
  const both = (depth: number): Rule => {
    const rules = [primary(depth)];
    while (list[at]?.toLowerCase() === 'and') {
      at += 1;
      rules.push(primary(depth));
    }
    return all(rules);
  };
  const either = (depth: number): Rule => {
    const rules = [both(depth)];
    while (list[at]?.toLowerCase() === 'or') {
      at += 1;
      rules.push(both(depth));
    }
    return any(rules);
  };
  const rule = either(0);
  if (at !== list.length) fail();
  return rule;
}
