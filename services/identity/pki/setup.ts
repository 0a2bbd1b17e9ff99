import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '@folsom/host';

export interface PkiFiles {
  caCerts: string;
  certfile: string;
  keyfile: string;
  keyBits: number;
  validDays: number;
}

const SUBJECT = '/C=US/ST=Unset/L=Unset/O=Unset/CN=www.example.com';
const SIGNING_SUBJECT = '/C=US/ST=Unset/O=Unset/CN=www.example.com';
const OPENSSL_MS = 60_000;
/** Shorter RSA keys can be broken: Folsom's default of 1024 is raised. */
const KEY_BITS_MIN = 2048;

/** Makes what PKI tokens need where it is missing: an authority, a signing key (0400) and its certificate. */
export async function setUpPki(files: PkiFiles, print: (line: string) => void): Promise<void> {
  const bits = String(Math.max(files.keyBits, KEY_BITS_MIN));
  const days = String(files.validDays);
  const caKey = join(dirname(files.caCerts), 'cakey.pem');
  const request = join(dirname(files.caCerts), 'req.pem');
  const openssl = async (...args: string[]) => {
    print(`openssl ${args.join(' ')}`);
    await run(['openssl', ...args], { timeoutMs: OPENSSL_MS });
  };
  const missing = (path: string): boolean => {
    const found = existsSync(path);
    print(`Looking for ${path}:\t${found ? '[FOUND]' : '[NOT FOUND]'}`);
    if (!found) mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    return !found;
  };
  const makeKey = async (path: string) => {
    // Readable by nobody else from the first byte on.
    writeFileSync(path, '', { mode: 0o600 });
    await openssl('genrsa', '-out', path, bits);
    chmodSync(path, 0o400);
  };

  if (missing(files.caCerts)) {
    if (missing(caKey)) await makeKey(caKey);
    print('Generating CA certificate');
    await openssl(
      ...['req', '-new', '-x509', '-sha256', '-key', caKey, '-out', files.caCerts, '-days', days],
      ...['-subj', SUBJECT, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    );
    chmodSync(files.caCerts, 0o444);
  }
  if (missing(files.keyfile)) {
    await makeKey(files.keyfile);
    chmodSync(dirname(files.keyfile), 0o700);
  }
  if (missing(files.certfile)) {
    await openssl('req', '-new', '-sha256', '-key', files.keyfile, '-out', request, '-subj', SIGNING_SUBJECT);
    const made = await run(
      [
        ...['openssl', 'x509', '-req', '-sha256', '-in', request, '-CA', files.caCerts, '-CAkey', caKey],
        ...['-set_serial', '1', '-days', days],
      ],
      { timeoutMs: OPENSSL_MS },
    );
    const text = await run(['openssl', 'x509', '-text', '-nameopt', 'sname,sep_comma_plus_space'], {
      timeoutMs: OPENSSL_MS,
      input: made.stdout,
    });
    writeFileSync(files.certfile, text.stdout, { mode: 0o444 });
    rmSync(request, { force: true });
  }
  // What cannot be read back must not be found out at the first login.
  for (const path of [files.caCerts, files.keyfile, files.certfile]) readFileSync(path);
}
