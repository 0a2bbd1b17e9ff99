import { runProgram } from '@folsom/testing';
import { expect, it } from 'vitest';
import { firstMachine, readmePrograms } from './readme.ts';

it("README's table has the commands of folsom, and no other", async () => {
  const { stdout } = await runProgram('folsom', ['--help']);
  const commands = [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z][\w-]*)/gm)];
  const named = commands.map(([, name]) => name).filter(name => name !== 'help');
  expect(named.length).toBeGreaterThan(10);
  expect(readmePrograms().sort()).toEqual(named.sort());
});

it('README leads to a first machine and away again', () => {
  const { before, commands, end } = firstMachine();
  expect(before).toEqual(['npm start', 'apt-get install python3-openstackclient']);
  expect(commands[0]).toBe('. ./var/openrc');
  expect(commands.length).toBeGreaterThan(5);
  expect(end).toBe('openstack server delete --wait first');
});
