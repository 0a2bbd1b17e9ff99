import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { canMakeNamespaces, SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPackages } from '../../deploy/lab/servers.ts';
import { readmeCommands } from '../up/readme.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PREFIX = 'npm run lab';
const COMMAND_MS = 900_000;

const possible =
  needs('FOLSOM_SLOW=1', SLOW) &&
  needs(
    'root, MariaDB, RabbitMQ, Redis and memcached',
    canMakeNamespaces() && missingPackages().length === 0,
  );

describe.skipIf(!possible)('"Several machines" of README', { timeout: COMMAND_MS * 2 }, () => {
  const commands = readmeCommands('Several machines');
  let dir: string;
  const lab = async (...words: string[]) => {
    const argv = [process.execPath, join(ROOT, 'deploy', 'lab', 'run.ts'), '--dir', dir, ...words];
    const { code, stdout, stderr } = await run(argv, { timeoutMs: COMMAND_MS, allowedCodes: 'any' });
    return { code, said: stdout + stderr };
  };
  /** A line of README as typed: without the words that lead to the lab. */
  const wordsOf = (command: string) => {
    expect(command.startsWith(PREFIX), command).toBe(true);
    return command.slice(PREFIX.length).replace(/^ -- /, '').split(' ').filter(Boolean);
  };

  beforeAll(() => {
    dir = join(mkdtempSync(join(tmpdir(), 'folsom-lab-')), 'lab');
  });
  afterAll(async () => {
    await lab('down');
    rmSync(join(dir, '..'), { recursive: true, force: true });
  });

  it('does what it says, from nothing to nothing', async () => {
    expect(commands[0]).toBe(PREFIX);
    expect(commands.at(-1)).toBe(`${PREFIX} -- down`);
    for (const command of commands) {
      const { code, said } = await lab(...wordsOf(command));
      expect(code, `${command}: ${said}`).toBe(0);
      if (command === PREFIX) expect(said).toMatch(/^ready in \d+ s$/m);
      if (command.includes('nova-manage service list'))
        for (const host of ['node1', 'node2'])
          expect(said).toMatch(new RegExp(`^nova-compute +${host} .*:-\\)`, 'm'));
      if (command.includes('fault kill')) expect((await lab('status')).code).toBe(1);
      if (command.endsWith('heal')) expect((await lab('status')).code).toBe(0);
    }
    expect(existsSync(dir)).toBe(false);
    const { stdout } = await run(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE'], {
      timeoutMs: 30_000,
    });
    expect(stdout).not.toContain(dir);
  });
});
