import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import {
  type Clients2012,
  clients2012,
  eventually,
  findPython27,
  type RunningProgram,
  startProgram,
  tempDir,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORTS } from '../../deploy/folsom/layout.ts';
import { bundleOf, tarOf } from '../ec2/bundle.ts';
import { PORT_OFFSETS } from '../port-offsets.ts';
import { propertiesOf, rowsOf } from '../walkthrough/printed.ts';
import { pythonFile, type Shells, startShells } from './shells.ts';

// python-cinderclient 1.0.2, python-novaclient 2.10.0, Horizon's calls and boto 2.9.0 against a cloud as `npm start` runs it.

const python = needs('Python 2.7', (await findPython27()) !== undefined);
const OFFSET = PORT_OFFSETS.volumesAndEc2;
const PASSWORD = 'secrete';

describe.skipIf(!python && process.env.CI === undefined)('volumes and EC2, the clients of 2012', () => {
  const dir = tempDir('volumes-ec2-2012');
  let clients: Clients2012;
  let cloud: RunningProgram;
  let admin: Shells;
  let demo: Shells;

  const envOf = (user: string) => ({
    OS_USERNAME: user,
    OS_PASSWORD: PASSWORD,
    OS_TENANT_NAME: user,
    OS_AUTH_URL: `http://127.0.0.1:${PORTS.identityPublic + OFFSET}/v2.0`,
    OS_NO_CACHE: '1',
  });

  beforeAll(async () => {
    clients = (await clients2012())!;
    const argv = [
      'up',
      '--state-dir',
      join(dir.path, 'var'),
      '--ports-offset',
      String(OFFSET),
      '--no-metrics',
    ];
    cloud = await startProgram(
      'folsom',
      [...argv, '--compute-driver', 'fake', '--services', 'identity,image,compute'],
      {
        logFile: join(dir.path, 'terminal.log'),
        until: /^ready in [\d.]+ s$/m,
        timeoutMs: 240_000,
        env: { FOLSOM_ADMIN_PASSWORD: PASSWORD, FOLSOM_DEMO_PASSWORD: PASSWORD },
      },
    );
    admin = startShells(clients, envOf('admin'));
    demo = startShells(clients, envOf('demo'));
  }, 480_000);
  afterAll(async () => {
    admin?.stop();
    demo?.stop();
    await cloud?.stop();
    dir.remove();
  });

  const becomes = (shells: Shells, list: string, name: string, status: string | undefined) =>
    eventually(async () => {
      const row = rowsOf(await shells.run(list)).find(
        one => one['Display Name'] === name || one.Name === name,
      );
      return row?.Status;
    }).toBe(status);
  /** Runs a script of Python; the objects it printed, by their step. */
  const script = async (name: string, env: Record<string, string>) => {
    const { code, stdout, stderr } = await clients.run(['python', pythonFile(name)], env, {
      timeoutMs: 300_000,
    });
    expect(code, stdout + stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    const steps = lines.map(line => JSON.parse(line) as { step: string; [field: string]: unknown });
    return Object.fromEntries(steps.map(({ step, ...rest }) => [step, rest]));
  };

  it('cinder keeps volumes, their snapshots and types', async () => {
    await admin.run('cinder type-create gold');
    const [gold] = rowsOf(await admin.run('cinder type-list'));
    expect(gold).toMatchObject({ Name: 'gold' });
    await admin.run(`cinder type-key ${gold!.ID} set speed=high disks=ssd`);
    expect(await admin.run('cinder extra-specs-list')).toContain("u'speed': u'high'");
    await admin.run(`cinder type-key ${gold!.ID} unset speed`);
    expect(rowsOf(await admin.run('cinder extra-specs-list'))[0]!.extra_specs).toBe("{u'disks': u'ssd'}");

    // What this client makes of `k=v`: a letter a key, without texts, and an empty one.
    const made = await demo.run('cinder create --metadata k=v --display-name one --volume-type gold 1');
    expect(propertiesOf(made)).toMatchObject({
      display_name: 'one',
      size: '1',
      status: 'creating',
      metadata: '{}',
    });
    await becomes(demo, 'cinder list', 'one', 'available');
    const shown = propertiesOf(await demo.run('cinder show one'));
    expect(shown).toMatchObject({ volume_type: 'gold', snapshot_id: 'None', attachments: '[]' });
    expect(shown.metadata).toContain("u'k': None");
    // nova-volume has no PUT, as it had none in 2012.
    expect(await demo.refused('cinder rename one two')).toMatch(/could not be found.*HTTP 404/);
    expect(await demo.refused('cinder create 0')).toMatch(/must be an integer and greater than 0.*HTTP 400/);
    expect(await demo.refused('cinder create --volume-type none 1')).toMatch(/HTTP 404/);
    expect(await admin.run('cinder list --all-tenants 1')).toContain(shown.id);
    expect(await admin.run('cinder list')).not.toContain(shown.id);

    await demo.run(`cinder snapshot-create --display-name s ${shown.id}`);
    await becomes(demo, 'cinder snapshot-list', 's', 'available');
    expect(propertiesOf(await demo.run('cinder snapshot-show s')).volume_id).toBe(shown.id);
    const snapshot = propertiesOf(await demo.run('cinder snapshot-show s')).id!;
    expect(await demo.refused('cinder delete one')).toMatch(/dependent snapshots.*HTTP 400/);
    expect(
      propertiesOf(await demo.run(`cinder create --snapshot-id ${snapshot} --display-name copy 1`)),
    ).toMatchObject({
      snapshot_id: snapshot,
    });
    await becomes(demo, 'cinder list', 'copy', 'available');
    for (const [list, what, name] of [
      ['list', 'delete', 'copy'],
      ['snapshot-list', 'snapshot-delete', 's'],
      ['list', 'delete', 'one'],
    ]) {
      await demo.run(`cinder ${what} ${name}`);
      await becomes(demo, `cinder ${list}`, name!, undefined);
    }
    await admin.run(`cinder type-delete ${gold!.ID}`);
    expect(rowsOf(await admin.run('cinder type-list'))).toEqual([]);
    for (const line of ['quota-show x', 'absolute-limits'])
      expect(await demo.refused(`cinder ${line}`)).toMatch(/HTTP 404/);
  });

  it('nova does the same with its own commands, and attaches', async () => {
    await demo.run('nova boot --flavor 1 --image guest server');
    await becomes(demo, 'nova list', 'server', 'ACTIVE');
    await admin.run('nova volume-type-create silver');
    expect(rowsOf(await admin.run('nova volume-type-list')).map(row => row.Name)).toEqual(['silver']);
    const volume = propertiesOf(
      await demo.run('nova volume-create --display_name disk --volume_type silver 1'),
    ).id!;
    await becomes(demo, 'nova volume-list', 'disk', 'available');
    const attached = propertiesOf(await demo.run(`nova volume-attach server ${volume} /dev/vdb`));
    expect(attached).toMatchObject({ device: '/dev/sdb', id: volume, volumeId: volume });
    await becomes(demo, 'nova volume-list', 'disk', 'in-use');
    expect(rowsOf(await demo.run('nova volume-list'))[0]!['Attached to']).toBe(attached.serverId);
    expect(propertiesOf(await demo.run('nova volume-show disk')).attachments).toContain('/dev/sdb');
    expect(await demo.refused(`nova volume-delete ${volume}`)).toMatch(
      /must be available or error.*HTTP 400/,
    );
    expect(await demo.refused(`nova volume-snapshot-create ${volume}`)).toMatch(
      /must be available.*HTTP 400/,
    );
    await demo.run(`nova volume-snapshot-create --force True --display_name live ${volume}`);
    await becomes(demo, 'nova volume-snapshot-list', 'live', 'available');
    expect(propertiesOf(await demo.run('nova volume-snapshot-show live')).volume_id).toBe(volume);
    const live = propertiesOf(await demo.run('nova volume-snapshot-show live')).id!;
    await demo.run(`nova volume-snapshot-delete ${live}`);
    await becomes(demo, 'nova volume-snapshot-list', 'live', undefined);
    await demo.run(`nova volume-detach server ${volume}`);
    await becomes(demo, 'nova volume-list', 'disk', 'available');
    expect(await demo.refused(`nova volume-detach server ${volume}`)).toMatch(/HTTP 404/);
    await demo.run(`nova volume-delete ${volume}`);
    await becomes(demo, 'nova volume-list', 'disk', undefined);
    const [silver] = rowsOf(await admin.run('nova volume-type-list'));
    await admin.run(`nova volume-type-delete ${silver!.ID}`);
  });

  it("Horizon's pages: volumes, snapshots, and the credentials for EC2", async () => {
    const steps = await script('horizon.py', { ...envOf('demo'), SERVER: 'server', FOLDER: dir.path });
    expect(steps).toEqual({
      create: { status: 'creating', name: 'page' },
      made: { status: 'available' },
      list: { names: ['page'], types: ['None'] },
      attach: { device: '/dev/sdc', status: 'in-use' },
      attachments: { of_server: [true], devices: ['/dev/sdc'] },
      'of server': { ids: [true] },
      detach: { status: 'available' },
      snapshot: { status: 'available', names: ['kept'] },
      copy: { status: 'available', of: true },
      deleted: { copy: true, snapshot: true },
      emptied: { volumes: 0 },
      credentials: { tenants: [true] },
    });
    const [key, certificate, root] = await Promise.all(
      ['pk.pem', 'cert.pem', 'cacert.pem'].map(name => readFile(join(dir.path, name))),
    );
    expect(new X509Certificate(certificate!).checkPrivateKey(createPrivateKey(key!))).toBe(true);
    expect(new X509Certificate(certificate!).verify(new X509Certificate(root!).publicKey)).toBe(true);
    await demo.run('nova delete server');
    await becomes(demo, 'nova list', 'server', undefined);
  });

  /** A bundle of a disk, as euca-bundle-image makes it. */
  const makeBundle = async () => {
    const disk = join(dir.path, 'disk');
    const bundle = join(dir.path, 'bundle');
    for (const folder of [disk, bundle]) await mkdir(folder);
    await writeFile(join(disk, 'disk.img'), Buffer.alloc(50_000, 'folsom'));
    const { publicKey } = new X509Certificate(await readFile(join(dir.path, 'cacert.pem')));
    const { manifest, parts } = bundleOf(tarOf(disk, ['disk.img']), publicKey);
    for (const part of parts) await writeFile(join(bundle, part.name), part.bytes);
    await writeFile(join(bundle, 'image.manifest.xml'), manifest);
    return { bundle, parts };
  };

  it('boto, with what ec2rc.sh sets: servers, addresses, groups, keys, volumes, an image from a bundle', async () => {
    const { bundle, parts } = await makeBundle();
    const ec2rc = await readFile(join(dir.path, 'ec2rc.sh'), 'utf8');
    const { run: ran, ...steps } = await script('ec2.py', {
      ...Object.fromEntries(
        [...ec2rc.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, text]) => [name, text]),
      ),
      BUNDLE: bundle,
      S3_ADDRESS: `127.0.0.1:${PORTS.objectstore + OFFSET}`,
    });
    expect(ran).toMatchObject({ state: 'running', instance: expect.stringMatching(/^i-[0-9a-f]{8}$/) });
    expect(steps).toMatchObject({
      regions: { names: ['nova'], zones: ['nova'] },
      images: { names: ['guest'], types: ['machine'] },
      'wrong signature': { answer: [400, 'Unauthorized', 'Not Authorized'] },
      nobody: { answer: null },
      key: { name: 'flow', material: '-----BEGIN RSA PRIVATE KEY-----', all: ['flow'] },
      groups: {
        by_cidr: true,
        by_user: true,
        rules: [
          ['icmp', '-1', '-1', null, 'default'],
          ['tcp', '1', '65535', null, 'default'],
          ['tcp', '80', '80', '10.1.0.0/16', null],
          ['udp', '1', '65535', null, 'default'],
        ],
      },
      revoked: { answer: true, rules: 3 },
      describe: {
        image: expect.stringMatching(/^ami-/),
        type: 'm1.tiny',
        key: 'flow',
        address: expect.stringMatching(/^10\./),
        groups: ['web'],
        root: 'instance-store',
        zone: 'nova',
      },
      console: { output: true },
      address: { associated: true, instance: true },
      'address back': { disassociated: true, released: true, left: 0 },
      volume: { status: 'available', id: expect.stringMatching(/^vol-/) },
      attach: { status: 'in-use' },
      attachment: { instance: ran!.instance, device: '/dev/sdc', status: 'attached' },
      mapping: { devices: ['/dev/sdc'] },
      busy: { answer: [400, 'EC2APIError', 'Delete Failed'] },
      detach: { status: 'available' },
      snapshot: { status: 'available', id: expect.stringMatching(/^snap-/) },
      copy: { snapshot: true, status: 'available' },
      deleted: { volumes: 0 },
      stop: { state: 'stopped' },
      start: { state: 'running' },
      reboot: { answer: true, state: 'running' },
      terminate: { gone: true },
      left: { groups: ['default'], keys: 0 },
      bucket: {
        buckets: ['flow'],
        keys: ['image.manifest.xml', ...parts.map(part => part.name)],
        text: '<?xml',
      },
      register: { state: 'available', image: expect.stringMatching(/^ami-/) },
      image: { name: 'bundled', location: 'flow/image.manifest.xml', type: 'machine' },
      emptied: { buckets: 0 },
    });
  });
});
