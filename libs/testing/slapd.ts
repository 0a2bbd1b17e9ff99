import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import { freePort, tempDir } from './places.ts';
import { connects, requireProgram, type ThrowAwayServer, untilUp } from './servers.ts';

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
  const program = requireProgram('slapd');
  const dir = tempDir('folsom-slapd');
  const port = await freePort();
  const logFile = join(dir.path, 'slapd.log');
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const file = join(dir.path, 'slapd.conf');
  mkdirSync(join(dir.path, 'data'));
  writeFileSync(file, conf(dir.path));
  const url = `ldap://127.0.0.1:${port}`;
  let server: BackgroundProcess | undefined;
  const start = async () => {
    if (server?.running) return;
    server = await startBackground([program, '-h', url, '-f', file, '-d', '0'], {
      logFile,
      dieWithParent: true,
    });
    await untilUp(server, () => connects(port), { timeoutMs: 60_000, log });
  };
  const stop = async () => {
    await server?.stop(5000);
    dir.remove();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ host: '127.0.0.1', port, url, suffix: SUFFIX, rootDn: ROOT, rootPassword: 'secret' },
    start,
    stop,
    kill: async () => {
      server?.signal('SIGKILL');
      await server?.ended;
    },
    restart: async () => {
      await server?.stop(5000);
      await start();
    },
  };
}
