import type { Config } from '@folsom/config';
import type { TlsFiles } from '@folsom/http';
import { imageOptions } from './options.ts';

/** The TLS files of a server; undefined where it speaks plain HTTP. */
export function configuredTls(config: Config): TlsFiles | undefined {
  const { cert_file, key_file, ca_file } = config.of(imageOptions);
  if (cert_file === null) {
    if (key_file !== null) throw new Error('glance: key_file needs cert_file');
    return undefined;
  }
  return { certfile: cert_file, keyfile: key_file, caCerts: ca_file, certRequired: ca_file !== null };
}
