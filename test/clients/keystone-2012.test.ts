import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { startTestIdentity, TEST_ADMIN_TOKEN, type TestIdentity } from '@folsom/identity/testing';
import { type Clients2012, clients2012, findPython27, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rowsOf } from '../walkthrough/printed.ts';
import { type Session, session } from '../walkthrough/steps.ts';

// Every subcommand of python-keystoneclient 0.1.3 against a service that speaks TLS, with what it printed against the original.

const python = needs('Python 2.7', (await findPython27()) !== undefined);

describe.skipIf(!python && process.env.CI === undefined)('keystone, the client of 2012, over TLS', () => {
  const dir = tempDir('keystone-2012');
  const cert = join(dir.path, 'cert.pem');
  const ids: Record<string, string> = {};
  let clients: Clients2012;
  let cloud: TestIdentity;
  let publicUrl: string;
  let adminUrl: string;
  let shell: Session;

  beforeAll(async () => {
    clients = (await clients2012())!;
    const keyfile = join(dir.path, 'key.pem');
    await run(
      [
        ...['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-out', cert],
        ...['-keyout', keyfile, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
      ],
      { timeoutMs: 30_000 },
    );
    cloud = await startTestIdentity({ settings: { ssl: { enable: 'True', certfile: cert, keyfile } } });
    [publicUrl, adminUrl] = cloud.running.addresses.map(
      address => `https://localhost:${address.split(':')[1]}/v2.0`,
    ) as [string, string];
    shell = session(clients);
    shell.env = { SERVICE_TOKEN: TEST_ADMIN_TOKEN, SERVICE_ENDPOINT: adminUrl };
  }, 240_000);
  afterAll(async () => {
    await cloud?.stop();
    dir.remove();
  });

  const keystone = (line: string) => ['keystone', '--os-cacert', cert, ...line.split(' ')];
  const prints = (line: string, expected: string) => shell.prints(keystone(line), expected);
  const silent = async (line: string) => expect((await shell.run(keystone(line))).trim()).toBe('');
  const as = (username: string, password: string, more: Record<string, string> = {}) => {
    shell.env = {
      OS_USERNAME: username,
      OS_PASSWORD: password,
      OS_TENANT_NAME: 'demo',
      OS_AUTH_URL: adminUrl,
      ...more,
    };
  };
  /** A command that ends with an error; what it said. */
  const refused = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await clients.run(keystone(line), shell.env);
    expect(code, line).not.toBe(0);
    return (stdout + stderr).trim();
  };

  it('is refused by the certificate it was not told to trust, and lets itself be told not to look', async () => {
    const result = await clients.run(['keystone', 'tenant-list'], shell.env);
    expect(result.stderr).toMatch(/certificate verify failed/i);
    expect((await shell.run(['keystone', '--insecure', 'tenant-list'])).trim()).toBe('');
  });

  it('makes tenants and roles', async () => {
    ids.demo = (
      await prints(
        'tenant-create --name demo',
        `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |                                  |
|   enabled   |               True               |
|      id     | e6bdd7b4249e493c96ad7d260e2c4f5f |
|     name    |               demo               |
+-------------+----------------------------------+`,
      )
    ).id!;
    await silent(`tenant-update --description New --enabled true ${ids.demo}`);
    await prints(
      `tenant-get ${ids.demo}`,
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |               New                |
|   enabled   |               True               |
|      id     | e6bdd7b4249e493c96ad7d260e2c4f5f |
|     name    |               demo               |
+-------------+----------------------------------+`,
    );
    for (const name of ['admin', 'Member']) {
      ids[name] = (
        await prints(
          `role-create --name ${name}`,
          `
+----------+----------------------------------+
| Property |              Value               |
+----------+----------------------------------+
|    id    | 704e04a34b1d4473a016cd474e1f9ded |
|   name   | ${centred(name, 32)} |
+----------+----------------------------------+`,
        )
      ).id!;
    }
  });

  it('makes users and gives them roles', async () => {
    ids.user = rowsOf(
      await shell.run(
        keystone(`user-create --name joe --tenant-id ${ids.demo} --pass secrete --email joe@example.com`),
      ),
    ).find(row => row.Property === 'id')!.Value!;
    await prints(
      `user-get ${ids.user}`,
      `
+----------+----------------------------------+
| Property |              Value               |
+----------+----------------------------------+
|  email   |         joe@example.com          |
| enabled  |               True               |
|    id    | 933f34d9cee2489db01edb087c5abca2 |
|   name   |               joe                |
| tenantId | e6bdd7b4249e493c96ad7d260e2c4f5f |
+----------+----------------------------------+`,
    );
    await silent(`user-role-add --user-id ${ids.user} --role-id ${ids.admin} --tenant-id ${ids.demo}`);
    await silent(`user-role-add --user-id ${ids.user} --role-id ${ids.Member} --tenant-id ${ids.demo}`);
    await silent(`user-role-remove --user-id ${ids.user} --role-id ${ids.Member} --tenant-id ${ids.demo}`);
    await prints(
      `user-role-list --user-id ${ids.user} --tenant-id ${ids.demo}`,
      `
+----------------------------------+-------+----------------------------------+----------------------------------+
|                id                |  name |             user_id              |            tenant_id             |
+----------------------------------+-------+----------------------------------+----------------------------------+
| 704e04a34b1d4473a016cd474e1f9ded | admin | c4bd5d0f436a4c9a88734fbb1f1f2261 | c5e7cb46faae432ca89a4b426ebd7e26 |
+----------------------------------+-------+----------------------------------+----------------------------------+`,
    );
  });

  it('fills the catalog', async () => {
    const service = await prints(
      'service-create --name keystone --type identity --description Identity',
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |             Identity             |
|      id     | 8c9cb16b50af4428935a3405b9ba37af |
|     name    |             keystone             |
|     type    |             identity             |
+-------------+----------------------------------+`,
    );
    ids.service = service.id!;
    const urls = `--publicurl ${publicUrl} --internalurl ${publicUrl} --adminurl ${adminUrl}`;
    await shell.run(keystone(`endpoint-create --region r --service-id ${ids.service} ${urls}`));
    const [endpoint] = rowsOf(await shell.run(keystone('endpoint-list')));
    expect(endpoint).toMatchObject({ region: 'r', publicurl: publicUrl, adminurl: adminUrl });
    ids.endpoint = endpoint!.id!;
    await prints(
      `service-get ${ids.service}`,
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |             Identity             |
|      id     | 8c9cb16b50af4428935a3405b9ba37af |
|     name    |             keystone             |
|     type    |             identity             |
+-------------+----------------------------------+`,
    );
    await prints(
      'service-list',
      `
+----------------------------------+----------+----------+-------------+
|                id                |   name   |   type   | description |
+----------------------------------+----------+----------+-------------+
| 8c9cb16b50af4428935a3405b9ba37af | keystone | identity |   Identity  |
+----------------------------------+----------+----------+-------------+`,
    );
  });

  it('logs in and asks who and where it is', async () => {
    as('joe', 'secrete');
    await prints(
      'token-get',
      `
+-----------+----------------------------------+
|  Property |              Value               |
+-----------+----------------------------------+
|  expires  |       2026-11-24T20:30:30Z       |
|     id    | 86cfb68c12a248d1ac630f9c2c31d6c4 |
| tenant_id | e6bdd7b4249e493c96ad7d260e2c4f5f |
|  user_id  | 933f34d9cee2489db01edb087c5abca2 |
+-----------+----------------------------------+`,
    );
    const catalog = await shell.run(keystone('catalog --service identity'));
    expect(catalog.split('\n')[0]).toBe('Service: identity');
    expect(Object.fromEntries(rowsOf(catalog).map(row => [row.Property, row.Value]))).toEqual({
      adminURL: adminUrl,
      id: ids.endpoint,
      internalURL: publicUrl,
      publicURL: publicUrl,
      region: 'r',
    });
    expect(rowsOf(await shell.run(keystone('endpoint-get --service identity')))).toEqual([
      { Property: 'identity.publicURL', Value: publicUrl },
    ]);
    expect(rowsOf(await shell.run(keystone('tenant-list')))).toEqual([
      { id: ids.demo, name: 'demo', enabled: 'True' },
    ]);
    expect(rowsOf(await shell.run(keystone('user-list')))).toEqual([
      { id: ids.user, name: 'joe', enabled: 'True', email: 'joe@example.com' },
    ]);
    expect(rowsOf(await shell.run(keystone('role-list'))).map(row => row.name)).toEqual(
      expect.arrayContaining(['admin', 'Member']),
    );
    await prints(
      `role-get ${ids.admin}`,
      `
+----------+----------------------------------+
| Property |              Value               |
+----------+----------------------------------+
|    id    | 704e04a34b1d4473a016cd474e1f9ded |
|   name   |              admin               |
+----------+----------------------------------+`,
    );
  });

  it('keeps EC2 pairs', async () => {
    const pair = await prints(
      'ec2-credentials-create',
      `
+-----------+----------------------------------+
|  Property |              Value               |
+-----------+----------------------------------+
|   access  | 9ad400b36aea48efacc1677b1de2add6 |
|   secret  | e136b05060184dbfb9e99716dc9930a2 |
| tenant_id | e6bdd7b4249e493c96ad7d260e2c4f5f |
|  user_id  | 933f34d9cee2489db01edb087c5abca2 |
+-----------+----------------------------------+`,
    );
    expect(rowsOf(await shell.run(keystone('ec2-credentials-list')))).toEqual([
      { tenant: 'demo', access: pair.access, secret: pair.secret },
    ]);
    expect(rowsOf(await shell.run(keystone(`ec2-credentials-get --access ${pair.access}`)))).toHaveLength(4);
    expect((await shell.run(keystone(`ec2-credentials-delete --access ${pair.access}`))).trim()).toBe(
      'Credential has been deleted.',
    );
  });

  it('shows what went over the wire with --debug, and says what was wrong', async () => {
    const { stdout } = await clients.run(keystone('--debug tenant-list'), shell.env);
    expect(stdout).toContain('"passwordCredentials"');
    expect(stdout).toContain("reply: 'HTTP/1.1 200 OK");
    expect(await refused('user-get nobody')).toContain('Could not find user: nobody (HTTP 404)');
    expect(await refused('tenant-create --name demo')).toMatch(/Conflict occurred .*\(HTTP 409\)/);
    expect(await refused('tenant-create')).toContain('argument --name is required');
    expect(await refused('no-such-command')).toContain('invalid choice');
    as('joe', 'wrong');
    expect(await refused('tenant-list')).toContain('Invalid user / password (HTTP 401)');
    as('joe', 'secrete', { OS_TENANT_NAME: 'nowhere' });
    expect(await refused('tenant-list')).toContain('(HTTP 401)');
  });

  it('changes and deletes what it made', async () => {
    as('joe', 'secrete');
    expect((await shell.run(keystone(`user-update --email j@example.com ${ids.user}`))).trim()).toBe(
      'User has been updated.',
    );
    await silent(`user-password-update --pass newer ${ids.user}`);
    expect(await refused('token-get')).toContain('Invalid user / password (HTTP 401)');
    as('joe', 'newer');
    for (const line of [
      `endpoint-delete ${ids.endpoint}`,
      `service-delete ${ids.service}`,
      `role-delete ${ids.Member}`,
    ]) {
      await shell.run(keystone(line));
    }
    shell.env = { SERVICE_TOKEN: TEST_ADMIN_TOKEN, SERVICE_ENDPOINT: adminUrl };
    await silent(`user-delete ${ids.user}`);
    await silent(`tenant-delete ${ids.demo}`);
    for (const list of ['user-list', 'tenant-list', 'service-list', 'endpoint-list']) await silent(list);
    expect(rowsOf(await shell.run(keystone('role-list'))).map(row => row.name)).toEqual(['admin']);
  });
});

/** In the middle as PrettyTable sees it: what cannot be halved goes to the left of texts of even length. */
function centred(text: string, width: number): string {
  const left = (width - text.length) / 2;
  return text.padStart((text.length % 2 ? Math.floor(left) : Math.ceil(left)) + text.length).padEnd(width);
}
