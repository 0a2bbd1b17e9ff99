import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const PREFIX = '/opt/folsom/node_modules/.bin/';

describe('systemd units', async () => {
  const folder = join(DEPLOY, 'systemd');
  const names = await readdir(folder);
  const { bin } = JSON.parse(await readFile(join(DEPLOY, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  const unit = async (name: string) => {
    const text = await readFile(join(folder, name), 'utf8');
    const value = (option: string) =>
      [...text.matchAll(new RegExp(`^${option}=(.*)$`, 'gm'))].map(match => match[1]!);
    return { text, value };
  };

  it.each(names.filter(name => name.endsWith('.service')))('%s starts a program that exists', async name => {
    const { text, value } = await unit(name);
    expect([...text.matchAll(/^\[(\w+)\]$/gm)].map(match => match[1])).toEqual([
      'Unit',
      'Service',
      'Install',
    ]);
    expect(value('Description')).toHaveLength(1);
    expect(value('WantedBy')).toHaveLength(1);
    const commands = [...value('ExecStart'), ...value('ExecStop')];
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
      expect(command.startsWith(PREFIX), command).toBe(true);
      const program = command.slice(PREFIX.length).split(' ')[0]!;
      if (!program.includes('%i')) expect(Object.keys(bin)).toContain(program);
    }
  });

  it('nova.target wants every daemon of nova', async () => {
    const { value } = await unit('nova.target');
    const wanted = value('Wants')[0]!
      .split(' ')
      .map(name => /^nova@(.+)\.service$/.exec(name)![1]!);
    for (const daemon of wanted) expect(Object.keys(bin)).toContain(`nova-${daemon}`);
    const daemons = Object.keys(bin)
      .filter(
        name =>
          name.startsWith('nova-') &&
          !/manage|dhcpbridge|api-|-all$|-queues$|rootwrap|receiver|usage-audit/.test(name),
      )
      .map(name => name.slice('nova-'.length));
    expect(wanted.sort()).toEqual(daemons.sort());
  });
});
