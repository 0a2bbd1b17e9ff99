import { readFileSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { tempDir } from '@folsom/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startTestIdentity, type TestIdentity } from './test-identity.ts';

const dir = tempDir('identity-tls');
const path = (name: string) => join(dir.path, name);
let cloud: TestIdentity | undefined;

beforeAll(async () => {
  const openssl = (...args: string[]) => run(['openssl', ...args], { timeoutMs: 30_000 });
  for (const name of ['server', 'client', 'stranger']) {
    await openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
      ...['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    );
  }
  const both = readFileSync(path('server.pem'), 'utf8') + readFileSync(path('server.key'), 'utf8');
  writeFileSync(path('both.pem'), both);
}, 240_000);
afterEach(() => cloud?.stop());
afterAll(() => dir.remove());

const start = async (ssl: Record<string, string>) => {
  cloud = await startTestIdentity({ settings: { ssl: { enable: 'True', ...ssl } } });
  return cloud.running.addresses;
};

/** The status of GET /v2.0/extensions, or the code of the error. */
const ask = (address: string, options: RequestOptions = {}): Promise<number | string> =>
  new Promise(resolve => {
    const ca = readFileSync(path('server.pem'));
    const asking = request(`https://${address}/v2.0/extensions`, { ca, agent: false, ...options }, answer => {
      answer.resume();
      resolve(answer.statusCode!);
    });
    asking.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    asking.end();
  });

const withCertificate = (name: string) => ({
  cert: readFileSync(path(`${name}.pem`)),
  key: readFileSync(path(`${name}.key`)),
});

it('speaks TLS, and nothing else, on both ports', async () => {
  for (const address of await start({ certfile: path('server.pem'), keyfile: path('server.key') })) {
    expect(await ask(address)).toBe(200);
    expect(await ask(address, withCertificate('stranger'))).toBe(200);
    await expect(fetch(`http://${address}/v2.0/extensions`)).rejects.toThrow();
    expect(await ask(address)).toBe(200);
  }
});

it('takes the key from the certificate’s file, as Python does', async () => {
  const [address] = await start({ certfile: path('both.pem') });
  expect(await ask(address)).toBe(200);
});

it('lets in only those whom ca_certs vouches for, with cert_required', async () => {
  const files = { certfile: path('server.pem'), keyfile: path('server.key') };
  const [address] = await start({ ...files, ca_certs: path('client.pem'), cert_required: 'True' });
  expect(await ask(address, withCertificate('client'))).toBe(200);
  expect(await ask(address, withCertificate('stranger'))).toMatch(/ECONNRESET|ERR_SSL|EPIPE/);
  expect(await ask(address)).toMatch(/ECONNRESET|ERR_SSL|EPIPE/);
});

it('does not start with files that are of no use, and says which', async () => {
  await expect(start({ certfile: path('nowhere.pem') })).rejects.toThrow(
    /keystone-public: the certificate \S+nowhere.pem cannot be read: ENOENT/,
  );
  await expect(start({ certfile: path('server.pem'), keyfile: path('client.key') })).rejects.toThrow(
    /server.pem and \S+client.key cannot be used for TLS/,
  );
});
