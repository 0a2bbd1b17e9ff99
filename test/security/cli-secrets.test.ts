import { runProgram } from '@folsom/testing';
import { expect, it } from 'vitest';

const COMMANDS = [[], ['up'], ['down'], ['status'], ['logs'], ['env'], ['trace'], ['doctor'], ['populate']];

// Advisory 15: what stands in an argument list can be read by everybody on the machine.
it('15: no command of `folsom` takes a secret as an argument', async () => {
  for (const command of COMMANDS) {
    const { code, stdout } = await runProgram('folsom', [...command, '--help']);
    expect(code, command.join(' ')).toBe(0);
    const options = [...stdout.matchAll(/^\s+(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => name!);
    expect(options.filter(name => /pass|secret|token|key/.test(name))).toEqual([]);
  }
  const { stdout } = await runProgram('folsom', ['up', '--help']);
  expect(stdout).toMatch(/environment variables\s+FOLSOM_ADMIN_PASSWORD/);
  const refused = await runProgram('folsom', ['up', '--admin-password', 'x']);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('unknown option')]);
});
