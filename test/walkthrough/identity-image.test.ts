import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  canMakeNamespaces,
  clients2012,
  type NetworkNamespace,
  networkNamespace,
  type RunningProgram,
  runProgram,
  startProgram,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rowsOf } from './printed.ts';
import { type Session, session } from './steps.ts';

// The walk-through's own host: one machine with the address 172.16.200.6, services on their standard ports.
const HOST = '172.16.200.6';
const clients = await clients2012();
const possible = clients !== undefined && canMakeNamespaces();
if (!possible)
  console.warn('SKIPPED: the walk-through needs Python 2.7 and the right to make network namespaces');

const IMAGES = [
  { name: 'cirros-0.3.0-i386', bytes: Buffer.alloc(9_159_168, 'i386') },
  { name: 'cirros-0.3.0-x86_64', bytes: Buffer.alloc(9_761_280, 'x86_64') },
];

describe.skipIf(!possible)('walk-through: identity and image', () => {
  let dir: string;
  let network: NetworkNamespace;
  const programs: RunningProgram[] = [];
  let shell: Session;
  const ids: Record<string, string> = {};

  const start = async (name: string, conf: string, ports: number[]) => {
    programs.push(
      await startProgram(name, ['--config-file', conf], {
        logFile: join(dir, `${name}.log`),
        enter: network.enter,
        cwd: dir,
        ports: ports.map(port => ({ host: HOST, port })),
      }),
    );
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'folsom-walk-'));
    network = await networkNamespace(`fw${process.pid % 100_000}`, [`${HOST}/24`]);
    shell = session(clients!, { enter: network.enter, cwd: dir });
    const keystone = [
      '[DEFAULT]',
      'admin_token = 5f2a8c9d1e7b3a604c18',
      '[sql]',
      `connection = sqlite:///${dir}/keystone.sqlite`,
      '[token]',
      'driver = keystone.token.backends.sql.Token',
      '[ec2]',
      'driver = keystone.contrib.ec2.backends.sql.Ec2',
    ];
    const authtoken = [
      '[keystone_authtoken]',
      `auth_host = ${HOST}`,
      'auth_port = 35357',
      'auth_protocol = http',
      'admin_tenant_name = service',
      'admin_user = glance',
      'admin_password = glance',
      '[paste_deploy]',
      'flavor = keystone',
    ];
    const glance = ['[DEFAULT]', `sql_connection = sqlite:///${dir}/glance.sqlite`];
    await writeFile(join(dir, 'keystone.conf'), keystone.join('\n'));
    await writeFile(
      join(dir, 'glance-api.conf'),
      [
        ...glance,
        'enable_v1_api = True',
        'enable_v2_api = True',
        `filesystem_store_datadir = ${dir}/images`,
        ...authtoken,
      ].join('\n'),
    );
    await writeFile(join(dir, 'glance-registry.conf'), [...glance, ...authtoken].join('\n'));
  });

  afterAll(async () => {
    await Promise.all(programs.map(program => program.stop()));
    await network?.remove();
    await rm(dir, { recursive: true, force: true });
  });

  it('creates the database and starts keystone', async () => {
    const synced = await runProgram('keystone-manage', [
      '--config-file',
      join(dir, 'keystone.conf'),
      'db_sync',
    ]);
    expect(synced, synced.stderr).toMatchObject({ code: 0, stdout: '' });
    await start('keystone-all', join(dir, 'keystone.conf'), [5000, 35357]);
  });

  it('bootstraps with the admin token: service, endpoint, tenant, role, user', async () => {
    shell.env = { SERVICE_TOKEN: '5f2a8c9d1e7b3a604c18', SERVICE_ENDPOINT: `http://${HOST}:35357/v2.0` };
    const service = await shell.prints(
      [
        'keystone',
        'service-create',
        '--name=keystone',
        '--type=identity',
        '--description=Keystone Identity Service',
      ],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |    Keystone Identity Service     |
|      id     | 13f56808ea05400f9ae05d72684eeefd |
|     name    |             keystone             |
|     type    |             identity             |
+-------------+----------------------------------+`,
    );
    await shell.prints(
      [
        'keystone',
        'endpoint-create',
        '--service_id',
        service.id!,
        '--publicurl',
        `http://${HOST}:5000/v2.0`,
        '--adminurl',
        `http://${HOST}:35357/v2.0`,
        '--internalurl',
        `http://${HOST}:5000/v2.0`,
      ],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
|   adminurl  |  http://172.16.200.6:35357/v2.0  |
|      id     | eafd729bb70b4cd7b02ca2a728ec145e |
| internalurl |  http://172.16.200.6:5000/v2.0   |
|  publicurl  |  http://172.16.200.6:5000/v2.0   |
|    region   |            regionOne             |
|  service_id | 13f56808ea05400f9ae05d72684eeefd |
+-------------+----------------------------------+`,
    );
    expect(await shell.run(['keystone', 'help', 'tenant-create'])).toContain(
      `usage: keystone tenant-create --name <tenant-name>
                              [--description <tenant-description>]
                              [--enabled <true|false>]`,
    );
    const tenant = await shell.prints(
      ['keystone', 'tenant-create', '--name', 'admin', '--description', 'Admin Tenant'],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |           Admin Tenant           |
|   enabled   |               True               |
|      id     | b0b356e2c68f4ab29a1556a01aad022d |
|     name    |              admin               |
+-------------+----------------------------------+`,
    );
    const role = await shell.prints(
      ['keystone', 'role-create', '--name', 'admin'],
      `
+----------+----------------------------------+
| Property |              Value               |
+----------+----------------------------------+
|    id    | fc99371ca2194fdbb35ee46dcec06690 |
|   name   |              admin               |
+----------+----------------------------------+`,
    );
    ids.tenant = tenant.id!;
    ids.role = role.id!;
    const user = await createUser('admin', ids.tenant);
    await grant(user, ids.tenant);
  });

  it('goes on with a name and password', async () => {
    shell.env = {
      OS_USERNAME: 'admin',
      OS_TENANT_NAME: 'admin',
      OS_PASSWORD: 'admin',
      OS_AUTH_URL: `http://${HOST}:35357/v2.0/`,
    };
    await shell.prints(
      ['keystone', 'user-list'],
      `
+----------------------------------+-------+---------+------------------+
|                id                |  name | enabled |      email       |
+----------------------------------+-------+---------+------------------+
| fd97c9eba1974010a147e95d441d9c3a | admin |   True  | admin@magedu.com |
+----------------------------------+-------+---------+------------------+`,
    );
    const service = await shell.prints(
      ['keystone', 'tenant-create', '--name', 'service', '--description', 'Service Tenant'],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |          Service Tenant          |
|   enabled   |               True               |
|      id     | 11e27e27f0444ef78efe00ec79b4f93c |
|     name    |             service              |
+-------------+----------------------------------+`,
    );
    ids.service = service.id!;
    await grant(await createUser('nova', ids.service), ids.service);
    await grant(await createUser('swift', ids.service), ids.service);
    await grant(await createUser('glance'), ids.service);
  });

  it('creates the image database, starts glance and registers it', async () => {
    const synced = await runProgram('glance-manage', [
      '--config-file',
      join(dir, 'glance-registry.conf'),
      'db_sync',
    ]);
    expect(synced, synced.stderr).toMatchObject({ code: 0, stdout: '' });
    await start('glance-registry', join(dir, 'glance-registry.conf'), [9191]);
    await start('glance-api', join(dir, 'glance-api.conf'), [9292]);
    const service = await shell.prints(
      ['keystone', 'service-create', '--name=glance', '--type=image', '--description=Glance Image Service'],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |       Glance Image Service       |
|      id     | cb9a0db4fae44f1ba250034153f68906 |
|     name    |              glance              |
|     type    |              image               |
+-------------+----------------------------------+`,
    );
    const url = `http://${HOST}:9292`;
    const urls = ['--publicurl', url, '--adminurl', url, '--internalurl', url];
    await shell.run(['keystone', 'endpoint-create', '--service_id', service.id!, ...urls]);
    expect((await shell.run(['glance', 'image-list'])).trim()).toBe('');
  });

  it('uploads images from files', async () => {
    for (const { name, bytes } of IMAGES) {
      const printed = await shell.prints(
        ['glance', 'image-create', `--name=${name}`, '--disk-format=qcow2', '--container-format=bare'],
        `
+------------------+--------------------------------------+
| Property         | Value                                |
+------------------+--------------------------------------+
| checksum         | ${createHash('md5').update(bytes).digest('hex')}     |
| container_format | bare                                 |
| created_at       | 2013-05-26T05:52:19                  |
| deleted          | False                                |
| deleted_at       | None                                 |
| disk_format      | qcow2                                |
| id               | 16bfa875-8e0a-4cc3-8041-e8c64cca9f5e |
| is_public        | False                                |
| min_disk         | 0                                    |
| min_ram          | 0                                    |
| name             | ${name.padEnd(36)} |
| owner            | b0b356e2c68f4ab29a1556a01aad022d     |
| protected        | False                                |
| size             | ${String(bytes.length).padEnd(36)} |
| status           | active                               |
| updated_at       | 2013-05-26T05:52:19                  |
+------------------+--------------------------------------+`,
        { input: bytes },
      );
      expect(printed.checksum).toBe(createHash('md5').update(bytes).digest('hex'));
      expect(printed.owner).toBe(ids.tenant);
    }
    await shell.prints(
      ['glance', 'image-list'],
      `
+--------------------------------------+---------------------+-------------+------------------+---------+--------+
| ID                                   | Name                | Disk Format | Container Format | Size    | Status |
+--------------------------------------+---------------------+-------------+------------------+---------+--------+
| 16bfa875-8e0a-4cc3-8041-e8c64cca9f5e | cirros-0.3.0-i386   | qcow2       | bare             | 9159168 | active |
| 9f92df26-8fd3-42b9-a00c-b9fb2c73ed21 | cirros-0.3.0-x86_64 | qcow2       | bare             | 9761280 | active |
+--------------------------------------+---------------------+-------------+------------------+---------+--------+`,
      { unordered: true },
    );
    const index = await shell.run(['glance', 'index']);
    expect(index.split('\n').slice(0, 2)).toEqual([
      'ID                                   Name                           Disk Format          Container Format     Size          ',
      '------------------------------------ ------------------------------ -------------------- -------------------- --------------',
    ]);
    expect(index).toMatch(/^[0-9a-f-]{36} cirros-0\.3\.0-i386 {14}qcow2 {16}bare {24}9159168$/m);
    expect(index).toMatch(/^[0-9a-f-]{36} cirros-0\.3\.0-x86_64 {12}qcow2 {16}bare {24}9761280$/m);
    const id = rowsOf(await shell.run(['glance', 'image-list'])).find(row => row.Name === IMAGES[0]!.name)!
      .ID!;
    await shell.run(['glance', 'image-download', '--file', join(dir, 'copy.img'), id]);
    const sum = await network.exec(['md5sum', join(dir, 'copy.img')]);
    expect(sum.stdout).toContain(createHash('md5').update(IMAGES[0]!.bytes).digest('hex'));
  });

  async function createUser(name: string, tenant = ''): Promise<string> {
    const wide = (text: string) => {
      const left = Math.floor((119 - text.length) / 2);
      return `${' '.repeat(left)}${text}${' '.repeat(119 - text.length - left)}`;
    };
    const hash = `$6$rounds=40000$Mnul0elEayuu8SrN$${'x'.repeat(86)}`;
    const line = `+----------+${'-'.repeat(121)}+`;
    const user = await shell.prints(
      [
        'keystone',
        'user-create',
        ...(tenant ? ['--tenant-id', tenant] : []),
        '--name',
        name,
        '--pass',
        name,
        '--email',
        `${name}@magedu.com`,
      ],
      [
        line,
        `| Property | ${wide('Value')} |`,
        line,
        `|  email   | ${wide(`${name}@magedu.com`)} |`,
        `| enabled  | ${wide('True')} |`,
        `|    id    | ${wide('fd97c9eba1974010a147e95d441d9c3a')} |`,
        `|   name   | ${wide(name)} |`,
        `| password | ${wide(hash)} |`,
        `| tenantId | ${wide(tenant)} |`,
        line,
      ].join('\n'),
    );
    return user.id!;
  }

  async function grant(user: string, tenant: string): Promise<void> {
    const printed = await shell.run([
      'keystone',
      'user-role-add',
      '--user-id',
      user,
      '--role-id',
      ids.role!,
      '--tenant-id',
      tenant,
    ]);
    expect(printed.trim()).toBe('');
  }
});
