import { createHash, type KeyObject, sign } from 'node:crypto';
import { must } from '@folsom/core';
import {
  bitString,
  boolean,
  elements,
  explicit,
  implicit,
  integer,
  nothing,
  octetString,
  oid,
  sequence,
  time,
} from '@folsom/der';

/** sha256WithRSAEncryption */
const SIGNATURE = sequence(oid('1.2.840.113549.1.1.11'), nothing());

export interface CertificateFields {
  serial: bigint;
  /** Names and key as DER. */
  issuer: Buffer;
  subject: Buffer;
  publicKey: Buffer;
  notBefore: number;
  notAfter: number;
  /** Present in an authority's certificate. */
  extensions?: readonly Buffer[];
}

const signed = (content: Buffer, key: KeyObject): Buffer =>
  sequence(content, SIGNATURE, bitString(sign('sha256', content, key)));

/** A certificate as DER; of version 3 with extensions, of version 1 without, as Folsom's are. */
export function certificate(fields: CertificateFields, key: KeyObject): Buffer {
  const { extensions } = fields;
  return signed(
    sequence(
      ...(extensions === undefined ? [] : [explicit(0, integer(2))]),
      integer(fields.serial),
      SIGNATURE,
      fields.issuer,
      sequence(time(fields.notBefore), time(fields.notAfter)),
      fields.subject,
      fields.publicKey,
      ...(extensions === undefined ? [] : [explicit(3, sequence(...extensions))]),
    ),
    key,
  );
}

export interface RevocationFields {
  issuer: Buffer;
  thisUpdate: number;
  nextUpdate: number;
  revoked: readonly { serial: bigint; at: number }[];
}

/** A revocation list as DER. */
export function revocationList(fields: RevocationFields, key: KeyObject): Buffer {
  const entries = fields.revoked.map(({ serial, at }) => sequence(integer(serial), time(at)));
  return signed(
    sequence(
      integer(1),
      SIGNATURE,
      fields.issuer,
      time(fields.thisUpdate),
      time(fields.nextUpdate),
      // An empty list is left out altogether.
      ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ),
    key,
  );
}

/** What makes a certificate an authority's. `publicKey` is its own, as DER. */
export function authorityExtensions(publicKey: Buffer): Buffer[] {
  const [, bits] = elements(must(elements(publicKey)[0], 'elements is not empty').content);
  const identifier = createHash('sha1').update(must(bits, 'bits is there').content.subarray(1)).digest();
  const extension = (id: string, critical: boolean, value: Buffer) =>
    sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
  return [
    extension('2.5.29.19', true, sequence(boolean(true))),
    // keyEncipherment for decrypt_text, keyCertSign, cRLSign.
    extension('2.5.29.15', true, bitString(Buffer.from([0b0010_0110]), 1)),
    extension('2.5.29.14', false, octetString(identifier)),
    extension('2.5.29.35', false, sequence(implicit(0, identifier))),
  ];
}

/** Serial number and subject (as DER) of a certificate. */
export function readCertificate(der: Buffer): { serial: bigint; subject: Buffer } {
  const [content] = elements(must(elements(der)[0], 'elements is not empty').content);
  const fields = elements(must(content, 'content is there').content);
  const first = must(fields[0], 'fields is not empty').tag === 0xa0 ? 1 : 0;
  return {
    serial: BigInt(`0x${must(fields[first], 'first is in fields').content.toString('hex')}`),
    subject: must(fields[first + 4], 'first + 4 is in fields').whole,
  };
}

/** PEM with exactly one line end at its end. */
export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The DER inside a PEM text, whatever stands before it. */
export function derOf(text: string): Buffer {
  const [, body] = /-----BEGIN [^-]+-----([\s\S]+?)-----END/.exec(text) ?? [];
  if (body === undefined) throw new Error('no PEM text');
  return Buffer.from(body.replace(/\s/g, ''), 'base64');
}
