import { isIP } from 'node:net';
import type { Config } from '@folsom/config';
import type { Logger } from '@folsom/core';
import { keystoneLdapOptions } from './options.ts';

const isLocal = (host: string): boolean =>
  host === '' || host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));

/** Where the directory is. Throws one sentence for what is no address of one; passwords in the clear are said in the log. */
export function urlsOf(config: Config, log: Logger): string[] {
  const { url: configured, use_tls } = config.of(keystoneLdapOptions);
  const urls = configured.split(/[\s,]+/).filter(text => text !== '');
  if (urls.length === 0) throw new Error('keystone: [ldap] url is empty');
  for (const text of urls) {
    const url = URL.parse(text);
    if (url === null || !['ldap:', 'ldaps:'].includes(url.protocol))
      throw new Error(`keystone: [ldap] url ${text} is not supported: ldap:// and ldaps:// are`);
    if (url.protocol === 'ldap:' && !use_tls && !isLocal(url.hostname))
      log.warn('passwords go to the directory in the clear: ldaps:// or [ldap] use_tls protects them', {
        url: text,
      });
  }
  return urls;
}
