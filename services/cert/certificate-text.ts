import { createPublicKey } from 'node:crypto';
import { must } from '@folsom/core';
import { elements } from '@folsom/der';
import { type CertificateFields, pem } from './certificate.ts';
import { decodeName, nameText } from './names.ts';

/** A certificate as `openssl ca` writes it: what it says in words, then the PEM. */
export function certificateText(fields: CertificateFields, der: Buffer): string {
  const jwk = createPublicKey({ key: fields.publicKey, format: 'der', type: 'spki' }).export({
    format: 'jwk',
  });
  const modulus = Buffer.from(jwk.n ?? '', 'base64url');
  const exponent = Number(`0x${Buffer.from(jwk.e ?? '', 'base64url').toString('hex')}`);
  const signature = must(
    elements(must(elements(der)[0], 'elements is not empty').content)[2],
    'elements has more than 2',
  ).content.subarray(1);
  const algorithm = 'sha256WithRSAEncryption';
  const lines = [
    'Certificate:',
    '    Data:',
    '        Version: 1 (0x0)',
    `        Serial Number: ${fields.serial} (0x${fields.serial.toString(16)})`,
    `        Signature Algorithm: ${algorithm}`,
    `        Issuer: ${nameText(decodeName(fields.issuer))}`,
    '        Validity',
    `            Not Before: ${timeText(fields.notBefore)}`,
    `            Not After : ${timeText(fields.notAfter)}`,
    `        Subject: ${nameText(decodeName(fields.subject))}`,
    '        Subject Public Key Info:',
    '            Public Key Algorithm: rsaEncryption',
    `                Public-Key: (${modulus.length * 8} bit)`,
    '                Modulus:',
    // A number whose first bit is set is written with a leading zero.
    ...octetLines(Buffer.concat([Buffer.from([0]), modulus]), 15, 20),
    `                Exponent: ${exponent} (0x${exponent.toString(16)})`,
    `    Signature Algorithm: ${algorithm}`,
    '    Signature Value:',
    ...octetLines(signature, 18, 8),
  ];
  return `${lines.join('\n')}\n${pem('CERTIFICATE', der)}`;
}

function octetLines(bytes: Buffer, perLine: number, indent: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += perLine) {
    const part = [...bytes.subarray(at, at + perLine)].map(byte => byte.toString(16).padStart(2, '0'));
    lines.push(`${' '.repeat(indent)}${part.join(':')}${at + perLine < bytes.length ? ':' : ''}`);
  }
  return lines;
}

/** `Nov  3 20:43:36 2026 GMT` */
function timeText(ms: number): string {
  const [, day = '', month = '', year = '', time = ''] =
    /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(ms).toUTCString()) ?? [];
  return `${month} ${String(Number(day)).padStart(2)} ${time} ${year} GMT`;
}
