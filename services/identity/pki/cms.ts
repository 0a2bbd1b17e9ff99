import { type KeyObject, sign, type X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { must } from '@folsom/core';
import { elements, explicit, integer, nothing, octetString, oid, sequence, set } from '@folsom/der';

const DATA = '1.2.840.113549.1.7.1';
const SIGNED_DATA = '1.2.840.113549.1.7.2';
const SHA256 = '2.16.840.1.101.3.4.2.1';
const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';

const signAsync = promisify(sign);

/**
 * A CMS SignedData message as `openssl cms -sign -nodetach -nocerts -noattr` makes it: the content, one signer named by
 * issuer and serial, RSA over SHA-256. DER.
 */
export async function cmsSign(
  content: Buffer,
  certificate: X509Certificate,
  key: KeyObject,
): Promise<Buffer> {
  // Off the event loop: RSA takes a millisecond and more.
  const signature = await signAsync('sha256', content, key);
  const { issuer, serial } = signerOf(certificate);
  const digest = sequence(oid(SHA256));
  return sequence(
    oid(SIGNED_DATA),
    explicit(
      0,
      sequence(
        integer(1),
        set(digest),
        sequence(oid(DATA), explicit(0, octetString(content))),
        set(
          sequence(
            integer(1),
            sequence(issuer, serial),
            digest,
            sequence(oid(RSA_ENCRYPTION), nothing()),
            octetString(signature),
          ),
        ),
      ),
    ),
  );
}

/** Issuer and serial number of a certificate as they stand in it. */
function signerOf(certificate: X509Certificate): { issuer: Buffer; serial: Buffer } {
  const [whole] = elements(certificate.raw);
  const [body] = elements(must(whole, 'whole is there').content);
  const fields = elements(must(body, 'body is there').content);
  // Version 3 certificates begin with their version, version 1 ones with the serial number.
  const first = must(fields[0], 'fields is not empty').tag === 0xa0 ? 1 : 0;
  return {
    serial: must(fields[first], 'first is in fields').whole,
    issuer: must(fields[first + 2], 'first + 2 is in fields').whole,
  };
}

const LINE_CHARS = 64;

export const toPem = (message: Buffer): string =>
  `-----BEGIN CMS-----\n${message
    .toString('base64')
    .replace(new RegExp(`.{1,${LINE_CHARS}}`, 'g'), '$&\n')}-----END CMS-----\n`;

/** A PKI token's text: the message in base64 with `-` for `/`. */
export const toToken = (message: Buffer): string => message.toString('base64').replaceAll('/', '-');
