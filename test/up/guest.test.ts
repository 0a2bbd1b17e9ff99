import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import {
  canMakeNamespaces,
  type HostNamespace,
  hostNamespace,
  type RunningProgram,
  runProgram,
  SLOW,
  startProgram,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { giveGuestImage } from '../guest-image.ts';
import { PORT_OFFSETS } from '../port-offsets.ts';

const possible = needs(
  'root, libvirt and the openstack command',
  canMakeNamespaces() && existsSync('/usr/bin/openstack') && existsSync('/usr/sbin/libvirtd'),
);

const MINUTE_MS = 60_000;

/** What a newcomer does: `npm start` on a machine of its own, and today's `openstack` command. */
describe.skipIf(!possible)("folsom up with real guests, used with today's openstack command", () => {
  let dir: string;
  let host: HostNamespace;
  let cloud: RunningProgram;
  let variables: Record<string, string>;
  const state = () => join(dir, 'var');

  const openstack = async (...argv: string[]) => {
    const done = await host.exec(['/usr/bin/openstack', ...argv], {
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: dir, ...variables },
      timeoutMs: 2 * MINUTE_MS,
    });
    if (done.code !== 0) throw new Error(`openstack ${argv.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  };
  const eventually = async <T>(
    what: string,
    seconds: number,
    look: () => Promise<T | undefined>,
  ): Promise<T> => {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
      await new Promise(resolve => setTimeout(resolve, 500));
    }
  };
  const key = () => join(dir, 'me.pem');
  /** What a command in the guest says, as soon as it answers. */
  const ssh = (address: string, command: string) =>
    eventually('ssh answers', 300, async () => {
      const done = await host.exec(
        [
          'ssh',
          ...['-i', key(), '-l', 'cirros', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=5'],
          ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', address, command],
        ],
        { timeoutMs: 20_000 },
      );
      return done.code === 0 ? done.stdout : undefined;
    });
  const up = async () => {
    cloud = await startProgram('folsom', ['up', '--state-dir', state(), '--compute-driver', 'libvirt'], {
      logFile: join(dir, 'terminal.log'),
      enter: host.enter,
      until: /^ready in [\d.]+ s$/m,
      timeoutMs: 2 * MINUTE_MS,
    });
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'folsom-guest-'));
    host = await hostNamespace(`fg${process.pid % 100_000}`, ['192.0.2.10/24']);
    // A host without a way out cannot download packages: it gets an image built before.
    await giveGuestImage(state());
    await up();
    const text = await readFile(join(state(), 'openrc'), 'utf8');
    variables = Object.fromEntries(
      [...text.matchAll(/^export (\w+)='?(.*?)'?$/gm)].map(match => [match[1]!, match[2]!]),
    );
  }, 4 * MINUTE_MS);
  afterAll(async () => {
    await cloud?.stop();
    await host?.remove();
    await rm(dir, { recursive: true, force: true });
  });

  // It boots while others look around.
  it('takes a key, a rule, a flavor and a server', async () => {
    const flavor = ['--id', '42', '--ram', '128', '--disk', '0', '--vcpus', '1', 'm1.nano'];
    const [pair] = await Promise.all([
      openstack('keypair', 'create', 'me'),
      openstack('security', 'group', 'rule', 'create', '--proto', 'tcp', '--dst-port', '22', 'default'),
      openstack('flavor', 'create', ...flavor),
    ]);
    await writeFile(key(), pair);
    await chmod(key(), 0o600);
    const server = ['--image', 'guest', '--flavor', 'm1.nano', '--key-name', 'me', 'first'];
    await openstack('server', 'create', ...server);
  });

  it('lists what identity has, as an administrator', async () => {
    expect(await openstack('token', 'issue', '-f', 'value', '-c', 'id')).toMatch(/^eyJ/);
    const names = async (what: string) =>
      (await openstack(what, 'list', '-f', 'value', '-c', 'Name')).trim().split('\n').sort();
    const [catalog, ...named] = await Promise.all([
      openstack('catalog', 'list', '-f', 'value', '-c', 'Type'),
      ...['project', 'user', 'role'].map(names),
    ]);
    expect(catalog.trim().split('\n').sort()).toEqual([
      'compute',
      'ec2',
      'identity',
      'image',
      'object-store',
      'volume',
    ]);
    expect(named).toEqual([
      ['admin', 'demo', 'service'],
      ['admin', 'demo', 'glance', 'nova', 'swift'],
      ['Member', 'admin'],
    ]);
  });

  it('offers an image, flavors and a hypervisor', async () => {
    expect(await openstack('image', 'list', '-f', 'value', '-c', 'Name')).toContain('guest\n');
    expect(await openstack('flavor', 'list', '-f', 'value', '-c', 'Name')).toContain('m1.tiny');
    expect(await openstack('hypervisor', 'list', '-f', 'value', '-c', 'Hypervisor Type')).toMatch(/QEMU/i);
  });

  it(
    'boots a guest that answers ssh, and shows its log',
    async () => {
      const shown = await eventually('the guest is active', 300, async () => {
        const server = JSON.parse(await openstack('server', 'show', '-f', 'json', 'first')) as {
          status: string;
          addresses: Record<string, string[]> | string;
        };
        expect(server.status).not.toBe('ERROR');
        return server.status === 'ACTIVE' ? server : undefined;
      });
      const address = /\d+\.\d+\.\d+\.\d+/.exec(JSON.stringify(shown.addresses))![0];
      expect((await ssh(address, 'hostname')).trim()).toBe('first');
      await eventually(
        'its console asks who is there',
        120,
        async () => (await openstack('console', 'log', 'show', 'first')).includes('login:') || undefined,
      );
    },
    5 * MINUTE_MS,
  );

  it(
    'finds its guest again after a restart',
    async () => {
      cloud.kill('SIGKILL');
      await cloud.exited;
      await up();
      expect(await openstack('server', 'list', '-f', 'value', '-c', 'Name', '-c', 'Status')).toBe(
        'first ACTIVE\n',
      );
      const running = await host.exec(['virsh', '-c', 'qemu:///system', 'list', '--name']);
      expect(running.stdout.trim()).toMatch(/^instance-/);
    },
    2 * MINUTE_MS,
  );

  it(
    'brings everything back after a restart of the machine',
    async () => {
      cloud.kill('SIGKILL');
      await cloud.exited;
      const { stdout } = await host.exec(['ip', 'netns', 'pids', host.name]);
      for (const pid of stdout.split('\n').map(Number).filter(Boolean)) {
        const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
        if (/^(qemu|dnsmasq|libvirtd|virtlogd)/.test(program)) process.kill(pid, 'SIGKILL');
      }
      await host.exec(['ip', 'link', 'delete', 'br100']);
      for (const table of ['filter', 'nat', 'mangle']) {
        await host.exec(['iptables', '-t', table, '-F']);
        await host.exec(['iptables', '-t', table, '-X']);
      }
      await host.exec(['find', '/run/libvirt', '-mindepth', '1', '-delete']);
      await up();
      expect(await openstack('server', 'list', '-f', 'value', '-c', 'Name', '-c', 'Status')).toBe(
        'first ACTIVE\n',
      );
      expect((await ssh('10.0.0.2', 'hostname')).trim()).toBe('first');
    },
    4 * MINUTE_MS,
  );

  it.skipIf(!needs('FOLSOM_SLOW=1', SLOW))(
    'has the same guest again after backup, down --purge and restore',
    async () => {
      const folsom = (...argv: string[]) =>
        runProgram('folsom', [...argv, '--state-dir', state()], {
          enter: host.enter,
          timeoutMs: 5 * MINUTE_MS,
        });
      const saved = join(dir, 'saved');
      await ssh('10.0.0.2', 'echo before > kept && sync');
      const made = await folsom('backup', saved, '--disks');
      expect(made.code, made.stderr).toBe(0);
      // It went on running, and what it does now is of another time.
      await ssh('10.0.0.2', 'echo after > kept && sync');
      const purged = await folsom('down', '--purge');
      expect(purged.code, purged.stderr).toBe(0);
      await cloud.exited;
      expect(existsSync(state())).toBe(false);
      const back = await folsom('restore', saved);
      expect(back.code, back.stderr).toBe(0);
      await up();
      expect(await openstack('server', 'list', '-f', 'value', '-c', 'Name', '-c', 'Status')).toBe(
        'first ACTIVE\n',
      );
      expect((await ssh('10.0.0.2', 'cat kept')).trim()).toBe('before');
    },
    10 * MINUTE_MS,
  );

  it(
    'deletes the guest without a trace',
    async () => {
      await openstack('server', 'delete', '--wait', 'first');
      const left = await host.exec(['virsh', '-c', 'qemu:///system', 'list', '--all', '--name']);
      expect(left.stdout.trim()).toBe('');
      expect((await host.exec(['ip', '-o', 'link', 'show'])).stdout).not.toMatch(/vnet|tap/);
    },
    2 * MINUTE_MS,
  );

  it(
    'down --purge takes guests, bridge, rules and files away',
    async () => {
      await openstack('server', 'create', '--image', 'guest', '--flavor', 'm1.nano', '--wait', 'second');
      const done = await runProgram('folsom', ['down', '--purge', '--state-dir', state()], {
        enter: host.enter,
        timeoutMs: MINUTE_MS,
      });
      expect(done.code, done.stderr).toBe(0);
      expect(
        (await host.exec(['virsh', '-c', 'qemu:///system', 'list', '--all', '--name'])).stdout.trim(),
      ).toBe('');
      expect((await host.exec(['ip', '-o', 'link', 'show'])).stdout).not.toMatch(/br100|vnet/);
      expect((await host.exec(['iptables-save'])).stdout).not.toContain('nova');
      expect((await host.exec(['ip', 'netns', 'pids', host.name])).stdout).not.toContain('dnsmasq');
      expect(existsSync(state())).toBe(false);
    },
    3 * MINUTE_MS,
  );

  it(
    'a start clears what a deleted cloud has left; clouds leave each other alone',
    async () => {
      const folsom = (...argv: string[]) =>
        runProgram('folsom', argv, { enter: host.enter, timeoutMs: MINUTE_MS });
      const start = async (name: string) => {
        await giveGuestImage(join(dir, name));
        const argv = ['up', '--state-dir', join(dir, name), '--compute-driver', 'libvirt'];
        return startProgram('folsom', [...argv, '--services', 'identity,image,compute'], {
          logFile: join(dir, `${name}.log`),
          enter: host.enter,
          until: /^ready in [\d.]+ s$/m,
          timeoutMs: 2 * MINUTE_MS,
        });
      };
      const killed = await start('killed');
      killed.kill('SIGKILL');
      await killed.exited;
      await cp(join(dir, 'killed'), join(dir, 'moved'), { recursive: true });
      await rm(join(dir, 'killed'), { recursive: true });

      cloud = await start('next');
      expect(await cloud.output()).toMatch(/^ending the DHCP server that another cloud has left/m);
      const rules = async () => (await host.exec(['iptables-save'])).stdout;
      expect(await rules()).toContain('nova-compute');
      const dhcp = async () =>
        (await host.exec(['pgrep', '-f', `dhcp-hostsfile=${join(dir, 'next')}`])).stdout;
      expect(await dhcp()).not.toBe('');

      const second = await folsom(
        'up',
        '--state-dir',
        join(dir, 'moved'),
        '--ports-offset',
        String(PORT_OFFSETS.second),
      );
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`belongs to the cloud in ${join(dir, 'next')}`);
      const purged = await folsom('down', '--purge', '--state-dir', join(dir, 'moved'));
      expect(purged.code, purged.stderr).toBe(0);
      expect(purged.stdout).toContain("left the host's network alone");
      expect(await rules()).toContain('nova-compute');
      expect(await dhcp()).not.toBe('');

      const done = await folsom('down', '--purge', '--state-dir', join(dir, 'next'));
      expect(done.code, done.stderr).toBe(0);
      expect(await rules()).not.toContain('nova');
    },
    5 * MINUTE_MS,
  );
});
