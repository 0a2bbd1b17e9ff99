import { constants, publicEncrypt, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, requestContext, systemClock, systemRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import { novaOptions } from '@folsom/nova/options';
import { certContract } from '@folsom/nova/rpc/cert';
import { createLocalBus, type LocalBus } from '@folsom/rpc';
import { type TempDir, tempDir } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCert } from './index.ts';

const context = requestContext({ userId: 'u', projectId: 'p' });
const lines: string[] = [];
const world = {
  clock: systemClock,
  random: systemRandom,
  log: createLogger({ write: line => lines.push(line) }),
};

let dir: TempDir;
let db: Database;
let bus: LocalBus;
let service: RunningService;

beforeEach(async () => {
  dir = tempDir('ca');
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  bus = createLocalBus(world);
});

afterEach(async () => {
  await service.stop();
  await bus.close();
  await db.close();
  dir.remove();
});

async function start(values: Record<string, string> = {}) {
  const config = configFrom([novaOptions], { DEFAULT: { host: 'c', ca_path: dir.path, ...values } });
  service = await startCert({ config, db, bus, world });
  return certContract.client(bus);
}

const inner = (text: string) => new X509Certificate(text.slice(text.indexOf('-----BEGIN')));
const openssl = async (...args: string[]) => (await run(['openssl', ...args], { timeoutMs: 30_000 })).stdout;

describe('nova-cert', () => {
  it('makes an authority once, its key for nobody else to read', async () => {
    let client = await start();
    const ca = await client.fetch_ca(context, { project_id: 'p' });
    const root = new X509Certificate(ca);
    expect(root.subject.split('\n')).toEqual(['O=NOVA ROOT', 'L=Mountain View', 'ST=California', 'C=US']);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(statSync(join(dir.path, 'private/cakey.pem')).mode & 0o777).toBe(0o600);
    await service.stop();
    client = await start();
    expect(await client.fetch_ca(context, { project_id: null })).toBe(ca);
    expect(await client.fetch_crl(context, { project_id: null })).toContain('BEGIN X509 CRL');
  });

  it('shows nothing of an authority to other users of the host', async () => {
    const client = await start({ use_project_ca: 'true' });
    await client.generate_x509_cert(context, { user_id: 'u', project_id: 'p' });
    await client.revoke_certs_by_user(context, { user_id: 'u' });
    const entries = readdirSync(dir.path, { recursive: true, withFileTypes: true });
    expect(entries.map(entry => entry.name)).toEqual(
      expect.arrayContaining([
        ...['cakey.pem', 'cacert.pem', 'crl.pem', 'index.txt', 'serial', '10.pem', 'openssl.cnf'],
      ]),
    );
    for (const entry of entries) {
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
      expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600]);
    }
  });

  it('issues certificates that openssl takes, with the text openssl prints', async () => {
    const client = await start();
    const [key, text] = await client.generate_x509_cert(context, {
      user_id: 'user-0123456789abcdef',
      project_id: 'project-0123456789abcdef',
    });
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    const certificate = inner(text);
    expect(certificate.subject).toMatch(
      /^C=US\nST=California\nO=OpenStack\nOU=NovaDev\nCN=project-01234567-user-0123456789a-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    );
    expect(
      certificate.verify(new X509Certificate(await client.fetch_ca(context, { project_id: null })).publicKey),
    ).toBe(true);
    writeFileSync(join(dir.path, 'cert.pem'), text);
    writeFileSync(join(dir.path, 'key.pem'), key);
    const printed = await openssl('x509', '-in', join(dir.path, 'cert.pem'), '-text');
    // openssl 3.0 leaves blanks around `=` where 3.2 leaves none, and breaks at the same places otherwise.
    expect(text.replaceAll(' = ', '=')).toBe(printed.replaceAll(' = ', '='));
    expect(
      await openssl('verify', '-CAfile', join(dir.path, 'cacert.pem'), join(dir.path, 'cert.pem')),
    ).toContain(': OK');
    expect(await openssl('x509', '-in', join(dir.path, 'cert.pem'), '-noout', '-modulus')).toBe(
      await openssl('rsa', '-in', join(dir.path, 'key.pem'), '-noout', '-modulus'),
    );
    expect(await db.knex('certificates').select('user_id', 'project_id', 'file_name')).toEqual([
      {
        user_id: 'user-0123456789abcdef',
        project_id: 'project-0123456789abcdef',
        file_name: join(dir.path, 'newcerts/10.pem'),
      },
    ]);
    expect(lines.join('')).not.toContain('PRIVATE KEY');
  });

  it('gives every certificate its own number, however many are asked for at once', async () => {
    const client = await start();
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        client.generate_x509_cert(context, { user_id: `u${n}`, project_id: 'p' }),
      ),
    );
    const serials = made.map(([, text]) => inner(text).serialNumber);
    expect(serials.sort()).toEqual(['10', '11', '12', '13', '14', '15', '16', '17']);
    expect(readFileSync(join(dir.path, 'serial'), 'utf8')).toBe('18\n');
  });

  it('revokes by user and tenant', async () => {
    const client = await start();
    for (const [user_id, project_id] of [
      ['a', 'p'],
      ['a', 'q'],
      ['b', 'p'],
    ] as const) {
      await client.generate_x509_cert(context, { user_id, project_id });
    }
    const revoked = async () =>
      (await openssl('crl', '-in', join(dir.path, 'crl.pem'), '-noout', '-text')).match(
        /(?<=Serial Number: )\w+/g,
      ) ?? [];
    expect(await revoked()).toEqual([]);
    await client.revoke_certs_by_user_and_project(context, { user_id: 'a', project_id: 'q' });
    expect(await revoked()).toEqual(['11']);
    await client.revoke_certs_by_user(context, { user_id: 'a' });
    expect(await revoked()).toEqual(['10', '11']);
    await client.revoke_certs_by_project(context, { project_id: 'p' });
    expect(await revoked()).toEqual(['10', '11', '12']);
    expect(
      await openssl(
        'crl',
        '-in',
        join(dir.path, 'crl.pem'),
        '-noout',
        '-CAfile',
        join(dir.path, 'cacert.pem'),
      ),
    ).toBe('');
  });

  it('has an authority for each tenant where told so, in a directory nobody can lead astray', async () => {
    const client = await start({ use_project_ca: 'true' });
    await expect(client.fetch_ca(context, { project_id: 'p' })).rejects.toMatchObject({
      name: 'CryptoCAFileNotFound',
    });
    await expect(client.fetch_crl(context, { project_id: 'p' })).rejects.toMatchObject({
      name: 'CryptoCRLFileNotFound',
    });
    const [, text] = await client.generate_x509_cert(context, { user_id: 'u', project_id: 'p' });
    expect(inner(text).issuer).toContain('CN=project-ca-p-');
    expect(existsSync(join(dir.path, 'projects/p/newcerts/10.pem'))).toBe(true);
    await client.revoke_certs_by_user(context, { user_id: 'u' });
    expect(await client.fetch_crl(context, { project_id: 'p' })).toContain('X509 CRL');
    for (const project_id of ['../../etc', 'a/b', '..']) {
      await expect(client.generate_x509_cert(context, { user_id: 'u', project_id })).rejects.toMatchObject({
        name: 'Invalid',
      });
    }
  });

  it('keeps a user’s name from adding to the subject', async () => {
    const client = await start();
    const [, text] = await client.generate_x509_cert(context, { user_id: 'x/CN=root, O=z', project_id: 'p' });
    expect(inner(text).subject.match(/^CN=/gm)).toHaveLength(1);
    expect(inner(text).subject.match(/^O=/gm)).toHaveLength(1);
  });

  it('decrypts what was encrypted for it', async () => {
    const client = await start();
    const ca = await client.fetch_ca(context, { project_id: null });
    const text = publicEncrypt(
      { key: ca, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from('schlüssel'),
    ).toString('base64');
    expect(await client.decrypt_text(context, { project_id: null, text })).toBe('schlüssel');
    await expect(client.decrypt_text(context, { project_id: null, text: 'AAAA' })).rejects.toMatchObject({
      name: 'DecryptionFailure',
    });
  });

  it.each([false, true])('lets openssl go on with its authority, a tenant’s: %s', async ofTenant => {
    const client = await start({ use_project_ca: String(ofTenant) });
    const user = { user_id: 'u', project_id: 'p' };
    await client.generate_x509_cert(context, user);
    // As the original's nova-cert signs and revokes.
    const ca = ofTenant ? join(dir.path, 'projects/p') : dir.path;
    const inCa = (...args: string[]) => run(['openssl', ...args], { timeoutMs: 30_000, cwd: ca });
    const request = join(dir.path, 'request.pem');
    const subject = '/C=US/ST=California/O=OpenStack/OU=NovaDev/CN=p-u-2012-11-27T00:00:00Z';
    await inCa('genrsa', '-out', join(dir.path, 'key'), '2048');
    await inCa('req', '-new', '-key', join(dir.path, 'key'), '-out', request, '-batch', '-subj', subject);
    const signed = join(dir.path, 'signed.pem');
    await inCa('ca', '-batch', '-out', signed, '-config', './openssl.cnf', '-infiles', request);
    expect(inner(readFileSync(signed, 'utf8')).serialNumber).toBe('11');
    expect(inner(readFileSync(signed, 'utf8')).subject.replaceAll('\n', '/')).toBe(subject.slice(1));
    expect(await openssl('verify', '-CAfile', join(ca, 'cacert.pem'), signed)).toContain(': OK');
    await inCa('ca', '-config', './openssl.cnf', '-revoke', 'newcerts/10.pem');
    await inCa('ca', '-gencrl', '-config', './openssl.cnf', '-out', 'crl.pem');
    const [, text] = await client.generate_x509_cert(context, user);
    expect(inner(text).serialNumber).toBe('12');
    await client.revoke_certs_by_user(context, user);
    const list = await openssl('crl', '-in', join(ca, 'crl.pem'), '-noout', '-text');
    expect(list.match(/(?<=Serial Number: )\w+/g)).toEqual(['10', '12']);
  });

  it('goes on with an authority that openssl has made', async () => {
    mkdirSync(join(dir.path, 'private'));
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:1024',
      '-nodes',
      '-md5',
      '-subj',
      '/O=NOVA ROOT',
      '-days',
      '2',
      '-keyout',
      join(dir.path, 'private/cakey.pem'),
      '-out',
      join(dir.path, 'cacert.pem'),
    );
    writeFileSync(join(dir.path, 'serial'), '1F\n');
    const client = await start();
    const [, text] = await client.generate_x509_cert(context, { user_id: 'u', project_id: 'p' });
    expect(inner(text).serialNumber).toBe('1F');
    expect(inner(text).issuer).toBe('O=NOVA ROOT');
    expect(readFileSync(join(dir.path, 'serial'), 'utf8')).toBe('20\n');
  });
});
