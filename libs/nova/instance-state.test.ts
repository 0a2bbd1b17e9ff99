import { describe, expect, it } from 'vitest';
import {
  type ActionName,
  type ActionRule,
  actions,
  checkAction,
  taskState,
  vmState,
} from './instance-state.ts';

const uuid = 'u';
const user = { isAdmin: false };
const allowed = (name: ActionName, vm_state: string | null, task_state: string | null, locked = false) => {
  try {
    checkAction(name, { uuid, vm_state, task_state, locked }, user);
    return true;
  } catch {
    return false;
  }
};

describe('what may be asked of an instance', () => {
  it('is what the table says, for every action in every condition', () => {
    for (const name of Object.keys(actions) as ActionName[]) {
      const rule: ActionRule = actions[name];
      for (const vm of [...Object.values(vmState), null])
        for (const task of [...Object.values(taskState), null]) {
          const fits =
            (rule.from === 'any' || rule.from.some(state => state === vm)) &&
            (rule.during === 'any' || rule.during.includes(task));
          expect([name, vm, task, allowed(name, vm, task)]).toEqual([name, vm, task, fits]);
          expect(allowed(name, vm, task, true)).toBe(fits && !rule.locked);
        }
    }
  });

  it('is never twice the same work: what writes a task begins only without one, but for deletes and reboots', () => {
    const repeated = (Object.entries(actions) as [ActionName, ActionRule][])
      .filter(([, { task, during }]) => task != null && (during === 'any' || during.includes(task)))
      .map(([name]) => name);
    expect(repeated).toEqual(['delete', 'soft_delete', 'reboot']);
  });

  it('is told in words when it may not be', () => {
    const building = { uuid, vm_state: 'building', task_state: null, locked: false };
    expect(() => checkAction('resize', building, user)).toThrow(
      'Instance u in vm_state building. Cannot resize while the instance is in this state.',
    );
    const busy = { uuid, vm_state: 'active', task_state: 'pausing', locked: 1 };
    expect(() => checkAction('resize', busy, { isAdmin: true })).toThrow('Instance u in task_state pausing.');
    expect(() => checkAction('resize', busy, user)).toThrow('Instance u is locked');
    expect(() => checkAction('start', { ...busy, vm_state: null, locked: null }, user)).toThrow(
      'vm_state None',
    );
  });
});
