import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { openstackClient, type RunningProgram, SLOW, startProgram } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORT_OFFSETS } from '../port-offsets.ts';
import { firstMachine } from '../up/readme.ts';

// Today's `openstack` command speaks identity v2 and Folsom's compute API still: README's walk, and what it met there, in the version that
// Debian has and two later ones. A cloud with simulated guests, so ssh only says where it would go.

const OFFSET = PORT_OFFSETS.openstackClient;
const VERSIONS = ['6.0', '7.4', '8.2'];
const DEBIANS = '/usr/bin';
const MINUTE_MS = 60_000;

/** Folder of the version's program; undefined where it can neither be found nor built. */
async function provided(version: string): Promise<string | undefined> {
  if (version === VERSIONS[0]) return existsSync(join(DEBIANS, 'openstack')) ? DEBIANS : undefined;
  try {
    return await openstackClient(version);
  } catch (error) {
    if (process.env.CI) throw error;
    console.warn(`SKIPPED: openstack ${version} cannot be installed here: ${(error as Error).message}`);
    return undefined;
  }
}

describe.skipIf(!needs('FOLSOM_SLOW=1', SLOW))("README's walk with the openstack command", () => {
  let dir: string;
  let cloud: RunningProgram | undefined;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'folsom-clients-'));
    const argv = ['up', '--state-dir', join(dir, 'var'), '--compute-driver', 'fake'];
    cloud = await startProgram('folsom', [...argv, '--ports-offset', String(OFFSET)], {
      logFile: join(dir, 'terminal.log'),
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 4 * MINUTE_MS,
    });
  }, 5 * MINUTE_MS);
  afterAll(async () => {
    await cloud?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it.for(VERSIONS)(
    '%s: a first machine, its list, its groups by name',
    { timeout: 10 * MINUTE_MS },
    async (version, context) => {
      const bin = await provided(version);
      if (!needs(`openstack ${version}`, bin !== undefined)) return context.skip();
      const walk = firstMachine();
      const shell = async (command: string) => {
        const script = `cd "$1" && ${walk.commands[0]} && ssh() { echo "ssh $*"; } && { ${command}\n}`;
        const done = await run(['bash', '-c', script, 'bash', dir], {
          env: { PATH: `${bin}:/usr/bin:/bin`, LC_ALL: 'C.UTF-8', HOME: dir, PYTHONWARNINGS: 'ignore' },
          timeoutMs: 3 * MINUTE_MS,
          allowedCodes: 'any',
        });
        if (done.code !== 0) throw new Error(`${command}: ${done.stdout}${done.stderr}`);
        return done.stdout;
      };
      expect(await shell('openstack --version')).toContain(` ${version}.`);
      const said: Record<string, string> = {};
      for (const command of walk.commands.slice(1))
        said[command.split(' ').slice(0, 3).join(' ')] = await shell(command);
      expect(said['openstack image list']).toMatch(/ guest .* active /);
      expect(said['openstack server create']).toMatch(/ status +\| ACTIVE /);
      expect(said['ssh -i me.pem']).toMatch(/^ssh .* cirros@10\.0\.0\.\d+\n$/);

      const servers = () => shell('openstack server list -f value -c Name -c Status');
      expect(await servers()).toBe('first ACTIVE\n');
      await shell('openstack server remove security group first default');
      // Later versions leave the column out where there is none.
      const groups = async () => {
        const shown = JSON.parse(await shell('openstack server show -f json first')) as Record<
          string,
          unknown
        >;
        return JSON.stringify(shown.security_groups ?? []);
      };
      expect(await groups()).not.toContain('default');
      await shell('openstack server add security group first default');
      expect(await groups()).toContain('default');
      await expect(
        shell('openstack security group rule create --proto tcp --dst-port 23 nobodys'),
      ).rejects.toThrow(/nobodys/);
      const rules = await shell('openstack security group rule list -f json default');
      expect(rules).toContain('22:22');
      await shell(walk.end);
      expect((await servers()).trim()).toBe('');
      // For the next version the same names are free again.
      await shell('openstack keypair delete me && rm -f me.pem');
      const { ID: rule } = (JSON.parse(rules) as { ID: string }[])[0]!;
      await shell(`openstack security group rule delete ${rule}`);
    },
  );
});
