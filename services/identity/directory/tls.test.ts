import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { type LdapServer, serverMissing, startSlapd, tempDir } from '@folsom/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from '../test-identity.ts';
import { type Connections, connections } from './connections.ts';
import { DirectoryAway } from './faults.ts';
import { fillDirectory, type TestDirectory } from './test-directory.ts';

// Nothing is served without TLS: what succeeds was protected.
describe.skipIf(serverMissing('slapd'))('a directory that wants TLS', () => {
  const dir = tempDir('directory-tls');
  const path = (name: string) => join(dir.path, name);
  let server: LdapServer;
  let directory: TestDirectory;
  let cloud: TestIdentity | undefined;
  let opened: Connections | undefined;

  beforeAll(async () => {
    for (const name of ['server', 'stranger'])
      await run(
        [
          ...[
            'openssl',
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:prime256v1',
            '-nodes',
          ],
          ...['-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2'],
          ...['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)],
        ],
        { timeoutMs: 30_000 },
      );
    server = await startSlapd({ certificate: path('server.pem'), key: path('server.key') });
    const ca = readFileSync(path('server.pem'), 'utf8');
    directory = await fillDirectory({ ...server, url: server.secureUrl, ca });
  }, 120_000);
  afterEach(async () => {
    await cloud?.stop();
    await opened?.stop();
    cloud = undefined;
    opened = undefined;
  });
  afterAll(async () => {
    await server?.stop();
    dir.remove();
  });

  it.each(['StartTLS', 'ldaps'])('is read and written by %s', async way => {
    const { settings } = directory;
    const asked: Record<string, string> =
      way === 'ldaps' ? { url: server.secureUrl } : { url: server.url, use_tls: 'True' };
    const ldap = { ...settings.ldap, ...asked, tls_cacertfile: path('server.pem') };
    const keystone = await startTestIdentity({ settings: { ...settings, ldap } });
    cloud = keystone;
    const login = async (username: string, password: string) =>
      (await keystone.public('POST', '/tokens', { auth: { passwordCredentials: { username, password } } }))
        .status;
    const { userId } = await keystone.person(`by-${way}`);
    expect(await login(`by-${way}`, TEST_PASSWORD)).toBe(200);
    expect(await login(`by-${way}`, 'wrong')).toBe(401);
    expect((await keystone.admin('DELETE', `/users/${userId}`)).status).toBe(204);
  });

  const search = (url: string, startTls: boolean, authority: string) => {
    opened = connections({
      ...{ urls: [url], user: server.rootDn, password: server.rootPassword, startTls },
      ...{ ca: readFileSync(path(`${authority}.pem`), 'utf8'), size: 1, timeoutMs: 30_000 },
    });
    return opened.use('searching', client => client.search(server.suffix, { scope: 'base' }));
  };

  it('needs no StartTLS where all of it is TLS', async () => {
    expect((await search(server.secureUrl, true, 'server')).searchEntries).toHaveLength(1);
  });

  it('is told nothing when nobody vouches for its certificate', async () => {
    await expect(search(server.url, true, 'stranger')).rejects.toThrow(/self-signed certificate/);
    await opened?.stop();
    await expect(search(server.secureUrl, false, 'stranger')).rejects.toThrow(DirectoryAway);
  });

  it('is told nothing when its certificate is of another name', async () => {
    const named = `ldap://localhost:${server.port}`;
    await expect(search(named, true, 'server')).rejects.toThrow(/does not match certificate/);
  });

  it('refuses us without TLS, which is no login', async () => {
    await expect(search(server.url, false, 'server')).rejects.toThrow(DirectoryAway);
  });
});
