import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { World } from '@folsom/core';
import {
  authorityExtensions,
  type CertificateFields,
  certificate,
  derOf,
  pem,
  readCertificate,
  revocationList,
} from './certificate.ts';
import { certificateText } from './certificate-text.ts';
import { certFault } from './faults.ts';
import { appendIssued, markRevoked, readIndex } from './index-file.ts';
import { encodeName, type Name, nameText } from './names.ts';
import { opensslSettings } from './openssl-settings.ts';

export interface AuthorityFiles {
  /** The authority's own directory, e.g. `/var/lib/nova/CA`. */
  directory: string;
  caFile: string;
  keyFile: string;
  crlFile: string;
}

export interface Issued {
  privateKey: string;
  certificate: string;
  /** Where the certificate is kept; what revoking goes by. */
  fileName: string;
}

/**
 * A certificate authority in the directory layout of openssl and Folsom's scripts (cacert.pem, private/cakey.pem,
 * crl.pem, serial, index.txt, newcerts/, openssl.cnf), so that one made by either is used by both. It signs with SHA-256 and makes
 * keys of 2,048 bits where Folsom used MD5 and 1,024.
 */
export interface Authority {
  /** Makes the authority unless there is one. */
  ensure(name: Name): Promise<void>;
  fetchCa(): Promise<string | undefined>;
  fetchCrl(): Promise<string | undefined>;
  issue(subject: Name): Promise<Issued>;
  revoke(fileName: string): Promise<void>;
  /** @throws Fault `DecryptionFailure` */
  decrypt(bytes: Buffer): Promise<string>;
}

const KEY_BITS = 2048;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const ROOT_YEARS = 10;
/** Folsom's scripts begin here. */
const FIRST_SERIAL = '10';

export function authority(files: AuthorityFiles, { clock, random, log }: World): Authority {
  const path = (...parts: string[]) => join(files.directory, ...parts);
  const now = () => Math.floor(clock.now() / 1000) * 1000;
  /** Serial, index and revocation list change together: one at a time. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };

  const signer = async (): Promise<{ key: KeyObject; issuer: Buffer }> => ({
    key: createPrivateKey(await readFile(path(files.keyFile), 'utf8')),
    issuer: readCertificate(derOf(await readFile(path(files.caFile), 'utf8'))).subject,
  });

  const writeCrl = async () => {
    const { key, issuer } = await signer();
    const entries = await readIndex(path('index.txt'));
    const der = revocationList(
      {
        issuer,
        thisUpdate: now(),
        nextUpdate: now() + YEAR_MS,
        revoked: entries.flatMap(({ serial, revokedAt }) =>
          revokedAt === undefined ? [] : [{ serial: BigInt(`0x${serial}`), at: revokedAt }],
        ),
      },
      key,
    );
    await writeSafely(path(files.crlFile), pem('X509 CRL', der));
  };

  /** Counted on before it is used, so that a crash wastes a number instead of giving it twice. */
  const nextSerial = async (): Promise<bigint> => {
    const text = (await readIfThere(path('serial'))) ?? FIRST_SERIAL;
    const serial = BigInt(`0x${/^[0-9a-fA-F]{1,40}/.exec(text.trim())?.[0] ?? FIRST_SERIAL}`);
    await writeSafely(path('serial'), `${serialText(serial + 1n)}\n`);
    return serial;
  };

  return {
    ensure: name =>
      inTurn(async () => {
        if (!existsSync(path(files.caFile))) {
          await mkdir(dirname(path(files.keyFile)), { recursive: true, mode: 0o700 });
          await mkdir(path('newcerts'), { recursive: true, mode: 0o700 });
          const { privateKey, publicKey } = await newKeys();
          const der = certificate(
            {
              serial: BigInt(`0x4${random.hex(31)}`),
              issuer: encodeName(name),
              subject: encodeName(name),
              publicKey,
              notBefore: now(),
              notAfter: now() + ROOT_YEARS * YEAR_MS,
              extensions: authorityExtensions(publicKey),
            },
            privateKey,
          );
          await writeSafely(path(files.keyFile), privatePem(privateKey));
          await writeSafely(path('index.txt'), '');
          await writeSafely(path('serial'), `${FIRST_SERIAL}\n`);
          // Last: where it is, the authority is whole.
          await writeSafely(path(files.caFile), pem('CERTIFICATE', der));
          log.info('certificate authority made', { directory: files.directory, name: nameText(name) });
        }
        if (!existsSync(path(files.crlFile))) await writeCrl();
        // Not read here: the original's nova-cert signs by it.
        if (!existsSync(path('openssl.cnf'))) await writeSafely(path('openssl.cnf'), opensslSettings(files));
      }),

    fetchCa: () => readIfThere(path(files.caFile)),
    fetchCrl: () => readIfThere(path(files.crlFile)),

    async issue(subject) {
      // The slow part needs no turn.
      const { privateKey, publicKey } = await newKeys();
      return inTurn(async () => {
        const { key, issuer } = await signer();
        const fields: CertificateFields = {
          serial: await nextSerial(),
          issuer,
          subject: encodeName(subject),
          publicKey,
          notBefore: now(),
          notAfter: now() + YEAR_MS,
        };
        const serial = serialText(fields.serial);
        const text = certificateText(fields, certificate(fields, key));
        const fileName = path('newcerts', `${serial}.pem`);
        await mkdir(dirname(fileName), { recursive: true, mode: 0o700 });
        await writeSafely(fileName, text);
        await appendIssued(path('index.txt'), { serial, expires: fields.notAfter, subject });
        return { privateKey: privatePem(privateKey), certificate: text, fileName };
      });
    },

    revoke: fileName =>
      inTurn(async () => {
        const text = fileName.startsWith(path('newcerts')) ? await readIfThere(fileName) : undefined;
        if (text === undefined) return log.warn('a certificate to revoke is not here', { fileName });
        await markRevoked(path('index.txt'), serialText(readCertificate(derOf(text)).serial), now());
        await writeCrl();
      }),

    async decrypt(bytes) {
      const key = await readIfThere(path(files.keyFile));
      if (key === undefined) throw certFault('DecryptionFailure');
      try {
        const plain = privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, bytes);
        return new TextDecoder('utf-8', { fatal: true }).decode(plain);
      } catch {
        throw certFault('DecryptionFailure');
      }
    },
  };
}

const generate = promisify(generateKeyPair);

async function newKeys(): Promise<{ privateKey: KeyObject; publicKey: Buffer }> {
  const { privateKey } = await generate('rsa', { modulusLength: KEY_BITS });
  return { privateKey, publicKey: createPublicKey(privateKey).export({ format: 'der', type: 'spki' }) };
}

const privatePem = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();

/** Upper-case hexadecimal of whole octets, as openssl names serials. */
const serialText = (value: bigint): string => {
  const hex = value.toString(16).toUpperCase();
  return hex.length % 2 === 0 ? hex : `0${hex}`;
};

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all. */
async function writeSafely(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
