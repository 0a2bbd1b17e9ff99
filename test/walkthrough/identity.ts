import { runProgram } from '@folsom/testing';
import { expect, it } from 'vitest';
import { HOST, type Walk } from './walk.ts';

const ADMIN_TOKEN = '5f2a8c9d1e7b3a604c18';

/** Section one: keystone from an empty database to users with roles. */
export function identitySteps(walk: Walk): void {
  it('creates the database and starts keystone', async () => {
    const conf = await walk.configure('keystone.conf', [
      '[DEFAULT]',
      `admin_token = ${ADMIN_TOKEN}`,
      '[sql]',
      `connection = sqlite:///${walk.dir}/keystone.sqlite`,
      '[token]',
      'driver = keystone.token.backends.sql.Token',
      '[ec2]',
      'driver = keystone.contrib.ec2.backends.sql.Ec2',
    ]);
    const synced = await runProgram('keystone-manage', ['--config-file', conf, 'db_sync']);
    expect(synced, synced.stderr).toMatchObject({ code: 0, stdout: '' });
    await walk.start('keystone-all', conf, [5000, 35357]);
  });

  it('bootstraps with the admin token: service and endpoint', async () => {
    walk.shell.env = { SERVICE_TOKEN: ADMIN_TOKEN, SERVICE_ENDPOINT: `http://${HOST}:35357/v2.0` };
    const service = await walk.shell.prints(
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
    await walk.shell.prints(
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
  });

  it('bootstraps with the admin token: tenant, role and user', async () => {
    expect(await walk.shell.run(['keystone', 'help', 'tenant-create'])).toContain(
      `usage: keystone tenant-create --name <tenant-name>
                              [--description <tenant-description>]
                              [--enabled <true|false>]`,
    );
    const tenant = await walk.shell.prints(
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
    const role = await walk.shell.prints(
      ['keystone', 'role-create', '--name', 'admin'],
      `
+----------+----------------------------------+
| Property |              Value               |
+----------+----------------------------------+
|    id    | fc99371ca2194fdbb35ee46dcec06690 |
|   name   |              admin               |
+----------+----------------------------------+`,
    );
    walk.ids.tenant = tenant.id!;
    walk.ids.role = role.id!;
    const user = await createUser(walk, 'admin', walk.ids.tenant);
    await grant(walk, user, walk.ids.tenant);
  });

  it('goes on with a name and password', async () => {
    walk.shell.env = {
      OS_USERNAME: 'admin',
      OS_TENANT_NAME: 'admin',
      OS_PASSWORD: 'admin',
      OS_AUTH_URL: `http://${HOST}:35357/v2.0/`,
    };
    await walk.shell.prints(
      ['keystone', 'user-list'],
      `
+----------------------------------+-------+---------+------------------+
|                id                |  name | enabled |      email       |
+----------------------------------+-------+---------+------------------+
| fd97c9eba1974010a147e95d441d9c3a | admin |   True  | admin@magedu.com |
+----------------------------------+-------+---------+------------------+`,
    );
    const service = await walk.shell.prints(
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
    walk.ids.service = service.id!;
    await grant(walk, await createUser(walk, 'nova', walk.ids.service), walk.ids.service);
    await grant(walk, await createUser(walk, 'swift', walk.ids.service), walk.ids.service);
    await grant(walk, await createUser(walk, 'glance'), walk.ids.service);
  });
}

async function createUser(walk: Walk, name: string, tenant = ''): Promise<string> {
  const wide = (text: string) => {
    const left = Math.ceil((119 - text.length) / 2);
    return `${' '.repeat(left)}${text}${' '.repeat(119 - text.length - left)}`;
  };
  const hash = `$6$rounds=40000$Mnul0elEayuu8SrN$${'x'.repeat(86)}`;
  const line = `+----------+${'-'.repeat(121)}+`;
  const user = await walk.shell.prints(
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

async function grant(walk: Walk, user: string, tenant: string): Promise<void> {
  const printed = await walk.shell.run([
    'keystone',
    'user-role-add',
    '--user-id',
    user,
    '--role-id',
    walk.ids.role!,
    '--tenant-id',
    tenant,
  ]);
  expect(printed.trim()).toBe('');
}
