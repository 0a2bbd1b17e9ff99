import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { status } from './commands.ts';
import { examine, oldDefaults } from './doctor.ts';
import { volumesFindings } from './doctor-volumes.ts';
import { layoutOf, type Ports, portsWithOffset } from './layout.ts';
import { writeRunning } from './running.ts';

const dirs: string[] = [];
async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'folsom-doctor-'));
  dirs.push(dir);
  return dir;
}
afterEach(async () => {
  await Promise.all(dirs.splice(0).map(dir => rm(dir, { recursive: true, force: true })));
});

describe('doctor', () => {
  it('names every old default with its line and the fix', async () => {
    const file = join(await scratch(), 'nova.conf');
    await writeFile(
      file,
      [
        '[DEFAULT]',
        'admin_token = ADMIN',
        'rabbit_password = guest',
        'vncserver_listen=0.0.0.0',
        'use_forwarded_for = True',
        'auth_strategy = noauth',
        'sql_connection = mysql://nova:nova@localhost/nova',
        '# admin_token = ADMIN',
      ].join('\n'),
      { mode: 0o644 },
    );
    const findings = await oldDefaults(file);
    expect(findings.map(finding => /:(\d+):/.exec(finding.what)?.[1]).filter(Boolean)).toEqual([
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
    ]);
    expect(findings.at(-1)).toMatchObject({ severity: 'problem', fix: `chmod 600 ${file}` });
    expect(findings.every(finding => finding.fix !== undefined)).toBe(true);
  });

  it('is content with generated values in a private file', async () => {
    const file = join(await scratch(), 'keystone.conf');
    await writeFile(file, '[DEFAULT]\nadmin_token = 4f2e9b0c77\n', { mode: 0o600 });
    expect(await oldDefaults(file)).toEqual([]);
  });

  it('says where volumes on LVM cannot be had', async () => {
    const file = join(await scratch(), 'nova.conf');
    const look = (paths: string[]) => volumesFindings([file], async path => paths.includes(path));
    await writeFile(file, '[DEFAULT]\nvolume_driver=nova.volume.driver.ISCSIDriver\n');
    expect(await look(['/usr/sbin/lvm'])).toMatchObject([
      { severity: 'problem', fix: expect.stringContaining('dm_mod') },
    ]);
    expect(await look(['/dev/mapper/control'])).toMatchObject([
      { severity: 'problem', fix: expect.stringContaining('lvm2') },
    ]);
    expect(await look(['/dev/mapper/control', '/sbin/lvm'])).toMatchObject([{ severity: 'ok' }]);
    await writeFile(file, '[DEFAULT]\nvolume_driver=file\n');
    expect(await look([])).toEqual([]);
  });

  it('and status say that the disk is full', async () => {
    const layout = layoutOf(await scratch());
    const lookAtDisk = async () => ({ bavail: 256, bsize: 4096 });
    const ports = portsWithOffset(20_000);
    const options = {
      layout,
      ports,
      hostIp: '127.0.0.1',
      configFiles: [],
      now: () => Date.now(),
      lookAtDisk,
    };
    expect(await examine(options)).toContainEqual(
      expect.objectContaining({
        severity: 'problem',
        what: `the disk of ${layout.dir} is full: 1 MiB are free`,
      }),
    );
    await writeRunning(layout, { since: 'now', hostIp: '127.0.0.1', services: [], hypervisor: 'fake' });
    const said: string[] = [];
    expect(await status(layout, line => said.push(line), lookAtDisk)).toBe(0);
    expect(said).toContain(`problem: the disk of ${layout.dir} is full: 1 MiB are free`);
  });

  it('finds readable secrets, ports in use and a wrong clock', async () => {
    const layout = layoutOf(await scratch());
    await mkdir(layout.keystone);
    await writeFile(layout.openrc, 'x');
    await chmod(layout.openrc, 0o644);
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const ports: Ports = { ...portsWithOffset(20_000), image: port };
    try {
      const findings = await examine({ layout, ports, hostIp: '127.0.0.1', configFiles: [], now: () => 0 });
      const problems = findings
        .filter(finding => finding.severity === 'problem')
        .map(finding => finding.what);
      expect(problems).toContainEqual(expect.stringContaining('openrc'));
      expect(problems).toContainEqual(expect.stringContaining(`port ${port} (image)`));
      expect(problems).toContainEqual(expect.stringContaining('clock'));
    } finally {
      server.close();
    }
  });
});
