import { silentLogger } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import { type ChainOptions, runSteps, type Step } from './steps.ts';

const clock = fakeClock();
const options = (more: Partial<ChainOptions<string[]>> = {}): ChainOptions<string[]> => ({
  operation: 'test',
  instanceUuid: 'u',
  clock,
  log: silentLogger,
  ...more,
});
const step = (name: string, more: Partial<Step<string[]>> = {}): Step<string[]> => ({
  name,
  restart: 'undo',
  run: async said => said.push(name),
  undo: async said => said.push(`undo ${name}`),
  ...more,
});
const fails = (name: string) =>
  step(name, {
    run: async () => {
      throw new Error(`${name} failed`);
    },
  });

describe('a chain of steps', () => {
  it('takes back what was begun, last first, and rejects with the failure', async () => {
    const said: string[] = [];
    const chain = [step('one'), step('two'), fails('three'), step('four')];
    await expect(runSteps(chain, said, options())).rejects.toThrow('three failed');
    expect(said).toEqual(['one', 'two', 'undo three', 'undo two', 'undo one']);
  });

  it('takes nothing back that is final, nor what came before it', async () => {
    const said: string[] = [];
    const chain = [step('one'), step('two', { commits: true }), step('three'), fails('four')];
    await expect(runSteps(chain, said, options())).rejects.toThrow('four failed');
    expect(said).toEqual(['one', 'two', 'three', 'undo four', 'undo three']);
  });

  it('does not undo a step whose task was lost to somebody else: it has not begun', async () => {
    const said: string[] = [];
    const enter = async (_said: string[], task: string | null) => {
      if (task === 'spawning') throw new Error('lost');
    };
    const chain = [step('network', { task: 'networking' }), step('spawn', { task: 'spawning' })];
    await expect(runSteps(chain, said, options({ enter }))).rejects.toThrow('lost');
    expect(said).toEqual(['network', 'undo network']);
  });

  it('undoes nothing where the failure passes', async () => {
    const said: string[] = [];
    const keep = () => true;
    await expect(runSteps([step('one'), fails('two')], said, options({ keep }))).rejects.toThrow();
    expect(said).toEqual(['one']);
  });

  it('goes on undoing when an undo fails', async () => {
    const said: string[] = [];
    const broken = step('two', {
      undo: async () => {
        throw new Error('cannot');
      },
    });
    await expect(runSteps([step('one'), broken, fails('three')], said, options())).rejects.toThrow('three');
    expect(said).toEqual(['one', 'two', 'undo three', 'undo one']);
  });

  it('ends before its next step when the instance is being deleted', async () => {
    const said: string[] = [];
    const controller = new AbortController();
    const last = step('one', { run: async () => controller.abort(new Error('deleted')) });
    const { signal } = controller;
    await expect(runSteps([last, step('two')], said, options({ signal }))).rejects.toThrow('deleted');
    expect(said).toEqual(['undo one']);
  });

  it('fails a step that shows no progress, and not one that is slow', async () => {
    const said: string[] = [];
    const slow = step('slow', {
      stalledMs: 1000,
      run: async (list, { progress }) => {
        for (let n = 0; n < 3; n++) {
          await clock.advance(800);
          progress();
        }
        list.push('slow');
      },
    });
    let aborted = false;
    const hung = step('hung', {
      stalledMs: 1000,
      run: async (_list, { signal }) => {
        signal.addEventListener('abort', () => {
          aborted = true;
        });
        void clock.advance(1000);
        await new Promise<void>(() => {});
      },
    });
    await expect(runSteps([slow, hung], said, options())).rejects.toThrow('made no progress for 1 seconds');
    expect([said, aborted]).toEqual([['slow', 'undo hung', 'undo slow'], true]);
  });
});
