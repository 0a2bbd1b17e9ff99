import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock, Logger } from '@folsom/core';
import { fault } from '../faults.ts';
import { fresh } from '../fresh.ts';
import { cmsSign, toPem, toToken } from './cms.ts';

/** Certificates and signatures of PKI tokens and of the revocation list. */
export interface Pki {
  /** Signs a text; in PEM. */
  signText(text: string): Promise<string>;
  /** Signs a token's document; the token's text. */
  signToken(document: string): Promise<string>;
  /** The files as they are; 501 while there are none. */
  caCertificate(): string;
  signingCertificate(): string;
}

/** How long files count as read: certificates may be replaced while the service runs. */
const FILES_FRESH_MS = 5_000;

export function pki(options: {
  certfile: string;
  keyfile: string;
  caCerts: string;
  clock: Clock;
  log: Logger;
}): Pki {
  const signer = fresh(
    async () => ({
      certificate: new X509Certificate(readFileSync(options.certfile)),
      key: createPrivateKey(readFileSync(options.keyfile)),
    }),
    FILES_FRESH_MS,
    options.clock,
  );
  const notSetUp = (error: unknown) => {
    options.log.error('signing is not set up: run "keystone-manage pki_setup"', { error });
    return fault('NotImplemented', {}, { cause: error });
  };
  const signed = async (text: string): Promise<Buffer> => {
    let loaded: { certificate: X509Certificate; key: ReturnType<typeof createPrivateKey> };
    try {
      loaded = await signer.get();
    } catch (error) {
      throw notSetUp(error);
    }
    return cmsSign(Buffer.from(text, 'utf8'), loaded.certificate, loaded.key);
  };
  const file = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw notSetUp(error);
    }
  };
  return {
    signText: async text => toPem(await signed(text)),
    signToken: async document => toToken(await signed(document)),
    caCertificate: () => file(options.caCerts),
    signingCertificate: () => file(options.certfile),
  };
}
