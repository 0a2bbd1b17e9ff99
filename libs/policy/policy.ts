import type { RequestContext } from '@folsom/core';
import { must } from '@folsom/core';
import { PolicyError, parseRule, type Rule } from './parse.ts';

/** Plain credentials, for callers that have no request context: names as Folsom's rules use them. */
export interface Credentials {
  roles?: readonly string[];
  [name: string]: unknown;
}

/** What is acted on: the values that `%(name)s` in a rule stands for, e.g. `{ project_id, user_id }`. */
export type Target = Readonly<Record<string, unknown>>;

export interface Policy {
  /**
   * Whether the caller may do `action` to `target`. An action without a rule falls to the default rule; without that
   * one it is refused.
   */
  check(action: string, target: Target, context: RequestContext | Credentials): boolean;
  /** Whether a rule of this name is in the file. */
  has(action: string): boolean;
  /** Names of all rules. */
  readonly rules: readonly string[];
}

type Lookup = (name: string) => unknown;
type Check = (target: Target, credential: Lookup, roles: readonly string[]) => boolean;

const NEVER: Check = () => false;

/**
 * Reads the text of a policy.json once into functions.
 *
 * @throws PolicyError naming the rule that cannot be read, or that refers to itself.
 */
export function loadPolicy(jsonText: string, defaultRule = 'default'): Policy {
  return policyFrom(parseFile(jsonText), defaultRule);
}

/** The same from rules that stand in code already. */
export function policyFrom(entries: Readonly<Record<string, unknown>>, defaultRule = 'default'): Policy {
  const parsed = new Map(Object.entries(entries).map(([name, value]) => [name, parseRule(name, value)]));
  refuseCycles(parsed, defaultRule);

  const compiled = new Map<string, Check>();
  const byName = (name: string): Check => compiled.get(name) ?? compiled.get(defaultRule) ?? NEVER;
  const compile = (rule: Rule): Check => {
    switch (rule.kind) {
      case 'always':
        return () => true;
      case 'never':
        return NEVER;
      case 'not': {
        const inner = compile(rule.rule);
        return (target, credential, roles) => !inner(target, credential, roles);
      }
      case 'and': {
        const inner = rule.rules.map(compile);
        return (target, credential, roles) => inner.every(check => check(target, credential, roles));
      }
      case 'or': {
        const inner = rule.rules.map(compile);
        return (target, credential, roles) => inner.some(check => check(target, credential, roles));
      }
      case 'rule':
        return (target, credential, roles) => byName(rule.name)(target, credential, roles);
      case 'role':
        return (_target, _credential, roles) => roles.some(role => role.toLowerCase() === rule.name);
      case 'match': {
        const fill = template(rule.template);
        return (target, credential) => {
          const held = credential(rule.credential);
          if (held === undefined) return false;
          const wanted = fill(target);
          return wanted !== undefined && wanted === pythonText(held);
        };
      }
    }
  };
  for (const [name, rule] of parsed) compiled.set(name, compile(rule));

  return {
    check: (action, target, context) => {
      const lookup = credentialsOf(context);
      return byName(action)(target, lookup, rolesOf(context));
    },
    has: action => parsed.has(action),
    rules: [...parsed.keys()],
  };
}

function parseFile(jsonText: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(jsonText);
  } catch (error) {
    throw new PolicyError(`the policy file is not valid JSON: ${(error as Error).message}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new PolicyError('the policy file must hold one object of rules');
  }
  return value as Record<string, unknown>;
}

/** `%(name)s` filled from the target; undefined (nothing matches) when the target lacks a name. */
function template(text: string): (target: Target) => string | undefined {
  const parts = text.split(/%\((\w+)\)s/);
  if (parts.length === 1) {
    const fixed = text.replaceAll('%%', '%');
    return () => fixed;
  }
  return target => {
    let out = '';
    for (let i = 0; i < parts.length; i++) {
      const part = must(parts[i], 'i is in parts');
      if (i % 2 === 0) {
        out += part.replaceAll('%%', '%');
      } else {
        if (!Object.hasOwn(target, part)) return undefined;
        out += pythonText(target[part]);
      }
    }
    return out;
  };
}

/** How Python prints a value, which is what rules are written against. */
function pythonText(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return String(value);
}

const isContext = (value: RequestContext | Credentials): value is RequestContext =>
  typeof (value as RequestContext).requestId === 'string' && 'isAdmin' in value;

const rolesOf = (context: RequestContext | Credentials): readonly string[] =>
  Array.isArray(context.roles) ? (context.roles as readonly string[]) : [];

function credentialsOf(context: RequestContext | Credentials): Lookup {
  if (!isContext(context)) return name => (Object.hasOwn(context, name) ? context[name] : undefined);
  return name => {
    switch (name) {
      case 'user_id':
      case 'user':
        return context.userId;
      case 'project_id':
      case 'tenant':
      case 'tenant_id':
      case 'owner':
        return context.projectId;
      case 'user_name':
        return context.userName;
      case 'project_name':
        return context.projectName;
      case 'is_admin':
        return context.isAdmin;
      case 'remote_address':
        return context.remoteAddress;
      case 'read_deleted':
        return context.readDeleted;
      case 'quota_class':
        return context.quotaClass;
      default:
        return undefined;
    }
  };
}

function refuseCycles(rules: ReadonlyMap<string, Rule>, defaultRule: string): void {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]) => {
    const actual = rules.has(name) ? name : defaultRule;
    if (done.has(actual)) return;
    if (path.includes(actual)) {
      throw new PolicyError(`policy rule "${actual}" refers to itself: ${[...path, actual].join(' -> ')}`);
    }
    const rule = rules.get(actual);
    if (rule) for (const next of references(rule)) visit(next, [...path, actual]);
    done.add(actual);
  };
  for (const name of rules.keys()) visit(name, []);
}

function references(rule: Rule): string[] {
  if (rule.kind === 'rule') return [rule.name];
  if (rule.kind === 'not') return references(rule.rule);
  if (rule.kind === 'and' || rule.kind === 'or') return rule.rules.flatMap(references);
  return [];
}
