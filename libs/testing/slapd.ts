import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOnPort } from './on-port.ts';
import type { ThrowAwayServer } from './servers.ts';

export interface LdapServer extends ThrowAwayServer {
  /** `ldap://127.0.0.1:PORT` */
  url: string;
  /** `ldaps://…`, where it has a certificate. */
  secureUrl: string;
  /** Its suffix, and who may do everything below it. */
  suffix: string;
  rootDn: string;
  rootPassword: string;
}

const SUFFIX = 'dc=example,dc=org';
const ROOT = `cn=admin,${SUFFIX}`;

/** Files (PEM) of a server that serves nobody without TLS. */
export interface SlapdTls {
  certificate: string;
  key: string;
}

const tlsConf = ({ certificate, key }: SlapdTls): string => `TLSCertificateFile ${certificate}
TLSCertificateKeyFile ${key}
security tls=1
`;

const conf = (directory: string, tls?: SlapdTls): string => `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${directory}/slapd.pid
${tls === undefined ? '' : tlsConf(tls)}database mdb
suffix "${SUFFIX}"
rootdn "${ROOT}"
rootpw secret
directory ${directory}/data
`;

/** Where it speaks TLS from the first byte: the port is the same. */
const SECURE_HOST = '127.0.0.2';

/**
 * An OpenLDAP server of the test's own, empty but for what `core`, `cosine` and `inetOrgPerson` define.
 *
 * @param tls its certificate; then it refuses everything that is not protected, and offers StartTLS and ldaps
 */
export async function startSlapd(tls?: SlapdTls): Promise<LdapServer> {
  const server = await startOnPort('slapd', ({ port, directory }) => {
    const file = join(directory, 'slapd.conf');
    mkdirSync(join(directory, 'data'));
    writeFileSync(file, conf(directory, tls));
    const secure = tls === undefined ? '' : ` ldaps://${SECURE_HOST}:${port}`;
    return ['-h', `ldap://127.0.0.1:${port}${secure}`, '-f', file, '-d', '0'];
  });
  const url = `ldap://127.0.0.1:${server.port}`;
  const secureUrl = `ldaps://${SECURE_HOST}:${server.port}`;
  return { ...server, url, secureUrl, suffix: SUFFIX, rootDn: ROOT, rootPassword: 'secret' };
}
