import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOnPort } from './on-port.ts';
import type { ThrowAwayServer } from './servers.ts';

export interface LdapServer extends ThrowAwayServer {
  /** `ldap://127.0.0.1:PORT` */
  url: string;
  /** Its suffix, and who may do everything below it. */
  suffix: string;
  rootDn: string;
  rootPassword: string;
}

const SUFFIX = 'dc=example,dc=org';
const ROOT = `cn=admin,${SUFFIX}`;

const conf = (directory: string): string => `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${directory}/slapd.pid
database mdb
suffix "${SUFFIX}"
rootdn "${ROOT}"
rootpw secret
directory ${directory}/data
`;

/** An OpenLDAP server of the test's own, empty but for what `core`, `cosine` and `inetOrgPerson` define. */
export async function startSlapd(): Promise<LdapServer> {
  const server = await startOnPort('slapd', ({ port, directory }) => {
    const file = join(directory, 'slapd.conf');
    mkdirSync(join(directory, 'data'));
    writeFileSync(file, conf(directory));
    return ['-h', `ldap://127.0.0.1:${port}`, '-f', file, '-d', '0'];
  });
  const url = `ldap://127.0.0.1:${server.port}`;
  return { ...server, url, suffix: SUFFIX, rootDn: ROOT, rootPassword: 'secret' };
}
