import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, requestContext, silentLogger, systemClock } from '@folsom/core';
import { describe, expect, it } from 'vitest';
import { loadPolicy, PolicyError, policyFile, policyFrom } from './index.ts';

const member = requestContext({ userId: 'u1', projectId: 'p1', roles: ['Member'] });
const admin = requestContext({ userId: 'u0', projectId: 'p0', roles: ['Admin'], isAdmin: true });

describe('list form', () => {
  const policy = policyFrom({
    admin_required: [['role:admin'], ['is_admin:1']],
    admin_or_owner: [['is_admin:True'], ['project_id:%(project_id)s']],
    default: [['rule:admin_or_owner']],
    'compute:get': [],
    both: [['role:member', 'user_id:%(user_id)s']],
    nothing: [[]],
  });

  it('takes alternatives, each a list that must hold as a whole', () => {
    expect(policy.check('both', { user_id: 'u1' }, member)).toBe(true);
    expect(policy.check('both', { user_id: 'u2' }, member)).toBe(false);
  });

  it('compares roles whatever their case', () => {
    expect(policy.check('admin_required', {}, admin)).toBe(true);
    expect(policy.check('admin_required', {}, member)).toBe(false);
  });

  it('allows everybody where the list is empty, nobody where only its alternatives are', () => {
    expect(policy.check('compute:get', {}, requestContext())).toBe(true);
    expect(policy.check('nothing', {}, admin)).toBe(false);
  });

  it('falls to the default rule', () => {
    expect(policy.check('compute:unknown', { project_id: 'p1' }, member)).toBe(true);
    expect(policy.check('compute:unknown', { project_id: 'p2' }, member)).toBe(false);
    expect(policy.check('compute:unknown', { project_id: 'p2' }, admin)).toBe(true);
  });

  it('never matches a target that lacks the value', () => {
    expect(policy.check('admin_or_owner', {}, member)).toBe(false);
    expect(
      policy.check('admin_or_owner', Object.create({ project_id: 'p1' }) as object as never, member),
    ).toBe(false);
  });

  it('prints values as Python does', () => {
    expect(policy.check('admin_required', {}, { is_admin: 1 })).toBe(true);
    expect(policy.check('admin_required', {}, { is_admin: true })).toBe(false);
    expect(policyFrom({ x: 'tenant:None' }).check('x', {}, { tenant: null })).toBe(true);
  });
});

describe('text form', () => {
  const check = (rule: string, context = member, target = {}) =>
    policyFrom({ rule }).check('rule', target, context);

  it('knows and, or, not, parentheses, always and never', () => {
    expect(check('')).toBe(true);
    expect(check('@')).toBe(true);
    expect(check('!')).toBe(false);
    expect(check('not role:admin')).toBe(true);
    expect(check('role:member and user_id:u1')).toBe(true);
    expect(check('role:admin or (role:member and not user_id:u2)')).toBe(true);
    expect(check('(role:admin or role:member) AND user_id:u2')).toBe(false);
    expect(check('project_id:%(project_id)s', member, { project_id: 'p1' })).toBe(true);
  });

  it('binds and more tightly than or', () => {
    expect(check('role:member or role:admin and !')).toBe(true);
  });

  it.each(['and', 'role:a or', '(role:a', 'role:a role:b', 'nocolon', ')', 'http://policy.example/x'])(
    'refuses %j by name',
    rule => {
      expect(() => policyFrom({ broken: rule })).toThrow(/broken/);
    },
  );
});

describe('files', () => {
  it('refuses what is no object of rules', () => {
    expect(() => loadPolicy('[')).toThrow(PolicyError);
    expect(() => loadPolicy('[]')).toThrow(PolicyError);
    expect(() => loadPolicy('{"a": 3}')).toThrow(/"a"/);
  });

  it('refuses rules that refer to themselves', () => {
    expect(() => loadPolicy('{"a": "rule:b", "b": "not rule:a"}')).toThrow(/a -> b -> a/);
    expect(() => loadPolicy('{"default": "rule:missing"}')).toThrow(/refers to itself/);
  });

  it('denies without a rule and without a default', () => {
    expect(loadPolicy('{}').check('anything', {}, admin)).toBe(false);
  });

  it('is read again when the file changes, and keeps the old rules when it is spoilt', () => {
    const dir = mkdtempSync(join(tmpdir(), 'policy-'));
    try {
      const path = join(dir, 'policy.json');
      let now = 0;
      const clock: Clock = { ...systemClock, monotonic: () => now };
      const write = (text: string, at: number) => {
        writeFileSync(path, text);
        utimesSync(path, at, at);
        now += 2_000;
      };
      write('{"x": "!"}', 1);
      const policy = policyFile(path, { clock, log: silentLogger });
      expect(policy.check('x', {}, member)).toBe(false);
      write('{"x": "@"}', 2);
      expect(policy.check('x', {}, member)).toBe(true);
      write('{"x": ', 3);
      expect(policy.check('x', {}, member)).toBe(true);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
