import { readFileSync } from 'node:fs';
import { createServer, type ServerOptions } from 'node:https';
import { createSecureContext } from 'node:tls';

/** What a service shows to its clients, and asks of them, over TLS. Files in PEM. */
export interface TlsFiles {
  certfile: string;
  /** Null: the key stands in `certfile`. */
  keyfile: string | null;
  /** Authorities that may vouch for clients; null: those the system trusts. */
  caCerts: string | null;
  /** Clients without a certificate from there are refused in the handshake. */
  certRequired: boolean;
}

/** A client that connects and says nothing does not hold its place for longer. */
const HANDSHAKE_MS = 10_000;

/** Reads the files. Throws one sentence that names the file that is missing, unreadable or no PEM. */
function readTls(files: TlsFiles, name: string): ServerOptions {
  const read = (what: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Error(`${name}: the ${what} ${path} cannot be read: ${(error as Error).message}`);
    }
  };
  const cert = read('certificate', files.certfile);
  const options: ServerOptions = {
    cert,
    key: files.keyfile === null ? cert : read('private key', files.keyfile),
    ...(files.caCerts === null ? {} : { ca: read('file of authorities', files.caCerts) }),
    requestCert: files.certRequired,
    rejectUnauthorized: files.certRequired,
    handshakeTimeout: HANDSHAKE_MS,
  };
  try {
    createSecureContext(options);
  } catch (error) {
    const where = files.keyfile === null ? files.certfile : `${files.certfile} and ${files.keyfile}`;
    throw new Error(`${name}: ${where} cannot be used for TLS: ${(error as Error).message}`);
  }
  return options;
}

/** An HTTPS server with these files; the rest of its options as for HTTP. */
export const createTlsServer = (
  files: TlsFiles,
  name: string,
  options: ServerOptions,
  handler: Parameters<typeof createServer>[1],
) => createServer({ ...readTls(files, name), ...options }, handler);
