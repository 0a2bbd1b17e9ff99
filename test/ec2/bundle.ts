import { execFileSync } from 'node:child_process';
import {
  constants,
  createCipheriv,
  createHash,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** A cloud's key, for which bundlers encrypt. */
export const cloudKeys = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

/** An archive as `tar` writes it; `-S` as bundlers of 2012 call it. */
export const tarOf = (
  folder: string,
  names: readonly string[],
  options: readonly string[] = ['-S'],
): Buffer =>
  execFileSync('tar', ['-c', '--format=gnu', ...options, '-C', folder, ...names], {
    maxBuffer: 64 * 1024 * 1024,
  });

export interface Bundle {
  manifest: string;
  parts: { name: string; bytes: Buffer }[];
}

/** A bundle as euca-bundle-image makes it: packed, encrypted, cut into parts. */
export function bundleOf(
  archive: Buffer,
  publicKey: KeyObject,
  options: { name?: string; partBytes?: number; machine?: string } = {},
): Bundle {
  const { name = 'image', partBytes = 10_000, machine = '' } = options;
  const [key, iv] = [randomBytes(16), randomBytes(16)];
  const cipher = createCipheriv('aes-128-cbc', key, iv);
  const encrypted = Buffer.concat([cipher.update(gzipSync(archive)), cipher.final()]);
  const parts: Bundle['parts'] = [];
  for (let at = 0; at < encrypted.length; at += partBytes) {
    parts.push({ name: `${name}.part.${parts.length}`, bytes: encrypted.subarray(at, at + partBytes) });
  }
  const forCloud = (secret: Buffer) =>
    publicEncrypt(
      { key: publicKey, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from(secret.toString('hex')),
    ).toString('hex');
  const listed = parts.map(
    (part, index) =>
      `<part index="${index}"><filename>${part.name}</filename>` +
      `<digest algorithm="SHA1">${createHash('sha1').update(part.bytes).digest('hex')}</digest></part>`,
  );
  const manifest =
    `<?xml version="1.0"?><manifest><version>2007-10-10</version><machine_configuration>` +
    `<architecture>x86_64</architecture>${machine}</machine_configuration><image><name>${name}</name>` +
    `<ec2_encrypted_key algorithm="AES-128-CBC">${forCloud(key)}</ec2_encrypted_key>` +
    `<ec2_encrypted_iv>${forCloud(iv)}</ec2_encrypted_iv>` +
    `<parts count="${parts.length}">${listed.join('')}</parts></image></manifest>`;
  return { manifest, parts };
}
