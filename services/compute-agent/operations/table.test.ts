import { taskState, vmState } from '@folsom/nova/instance-state';
import { computeContract } from '@folsom/nova/rpc/compute';
import { describe, expect, it } from 'vitest';
import { operationsPage } from './describe.ts';
import { stepIn, tasksOf, tasksOfSteps } from './operation.ts';
import { operationOn, operations } from './table.ts';

/** Folsom declares this one and never writes it. */
const WITHOUT_OPERATION: readonly string[] = [taskState.resizeConfirming];

describe('the table of long operations', () => {
  it('is what docs/operations.md says (npx vitest -u writes it)', async () => {
    await expect(operationsPage(operations)).toMatchFileSnapshot('../../../docs/operations.md');
  });

  it('has an operation for every task that an instance can be found in', () => {
    for (const task of Object.values(taskState)) {
      if (WITHOUT_OPERATION.includes(task)) continue;
      const op = operationOn({ vm_state: vmState.active, task_state: task });
      expect([task, op?.name === 'unknown' ? 'unknown' : tasksOf(op!).includes(task)]).toEqual([task, true]);
    }
  });

  it('ends in an error what a later nova calls by another name', () => {
    const op = operationOn({ vm_state: vmState.active, task_state: 'shelving' });
    expect([op?.name, op?.steps[0]?.restart]).toEqual(['unknown', 'error']);
    expect(operationOn({ vm_state: vmState.active, task_state: null })).toBeUndefined();
    expect(operationOn({ vm_state: vmState.building, task_state: null })?.name).toBe('boot');
    expect(operationOn({ vm_state: vmState.building, task_state: 'deleting' })?.name).toBe('delete');
  });

  it('names messages of the contract, each once, and steps of a chain each once', () => {
    const methods = operations.flatMap(op => op.methods);
    expect(new Set(methods).size).toBe(methods.length);
    for (const method of methods) expect(Object.keys(computeContract.methods)).toContain(method);
    for (const op of operations) {
      const names = op.steps.map(step => step.name);
      expect([op.name, new Set(names).size]).toEqual([op.name, names.length]);
    }
  });

  it('undoes what it does before a step that a restart undoes, or has nothing to undo there', () => {
    for (const op of operations) {
      const mixed = new Set(op.steps.map(step => step.restart === 'again'));
      expect([op.name, mixed.size]).toEqual([op.name, 1]);
    }
  });

  it('knows in which step work was cut short', () => {
    const boot = operations.find(op => op.name === 'boot')!;
    const named = (task: string | null) => boot.steps[stepIn(boot, task)]?.name;
    expect(['scheduling', null, 'networking', 'block_device_mapping', 'spawning'].map(named)).toEqual([
      'claim',
      'check',
      'network',
      'block_devices',
      'activate',
    ]);
    expect(tasksOfSteps(boot).at(-1)).toEqual(['spawning']);
  });
});
