import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { tempDir } from '@folsom/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startThrowaway, type Throwaway } from './throwaway.ts';

const dir = tempDir('image-tls');
const path = (name: string) => join(dir.path, name);
let glance: Throwaway | undefined;

beforeAll(async () => {
  for (const name of ['server', 'client', 'stranger']) {
    const argv = [
      ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)],
    ];
    await run(argv, { timeoutMs: 60_000 });
  }
}, 240_000);
afterEach(async () => {
  await glance?.stop();
  glance = undefined;
});
afterAll(() => dir.remove());

/** Addresses of API and registry. */
const start = async (image: Record<string, string>): Promise<string[]> => {
  glance = await startThrowaway({ image });
  return [glance.api, glance.registry].map(url => new URL(url).host);
};

/** The status of GET /v1/images and /images, or the code of the error. */
const ask = (address: string, at: number, options: RequestOptions = {}): Promise<number | string> =>
  new Promise(resolve => {
    const url = `https://${address}${at === 0 ? '/v1/images' : '/images'}`;
    const given = {
      ca: readFileSync(path('server.pem')),
      agent: false,
      headers: { 'x-auth-token': 'alice' },
    };
    const asking = request(url, { ...given, ...options }, answer => {
      answer.resume();
      resolve(answer.statusCode!);
    });
    asking.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    asking.end();
  });

const files = () => ({ cert_file: path('server.pem'), key_file: path('server.key') });
const withCertificate = (name: string) => ({
  cert: readFileSync(path(`${name}.pem`)),
  key: readFileSync(path(`${name}.key`)),
});

it('speaks TLS, and nothing else, with cert_file', async () => {
  for (const [at, address] of (await start(files())).entries()) {
    expect(await ask(address, at)).toBe(200);
    await expect(fetch(`http://${address}/`)).rejects.toThrow();
  }
});

it('lets in only those whom ca_file vouches for', async () => {
  for (const [at, address] of (await start({ ...files(), ca_file: path('client.pem') })).entries()) {
    expect(await ask(address, at, withCertificate('client'))).toBe(200);
    expect(await ask(address, at, withCertificate('stranger'))).toMatch(/ECONNRESET|ERR_SSL|EPIPE/);
    expect(await ask(address, at)).toMatch(/ECONNRESET|ERR_SSL|EPIPE/);
  }
});

it('does not start with a key alone, nor with files that are of no use', async () => {
  await expect(start({ key_file: path('server.key') })).rejects.toThrow('key_file needs cert_file');
  await expect(start({ cert_file: path('nowhere.pem') })).rejects.toThrow(
    /nowhere.pem cannot be read: ENOENT/,
  );
});
