import { chmod, rename, writeFile } from 'node:fs/promises';

export interface Credentials {
  user: string;
  password: string;
  tenant: string;
  /** `http://HOST:5000/v2.0` */
  authUrl: string;
  /** Administrators use the admin interface; today's client asks for it by name. */
  admin: boolean;
}

/**
 * Variables for the clients of 2012 and for today's `openstack` command. The newer one needs to be told that this is
 * identity API 2.0 and that there is neither a domain nor a newer compute or image API.
 */
export function openrc(credentials: Credentials): Record<string, string> {
  const { user, password, tenant, authUrl, admin } = credentials;
  return {
    OS_USERNAME: user,
    OS_PASSWORD: password,
    OS_TENANT_NAME: tenant,
    OS_PROJECT_NAME: tenant,
    OS_AUTH_URL: authUrl,
    OS_REGION_NAME: 'regionOne',
    OS_NO_CACHE: '1',
    OS_IDENTITY_API_VERSION: '2',
    ...(admin ? { OS_INTERFACE: 'admin' } : {}),
    ST_AUTH: authUrl,
    ST_AUTH_VERSION: '2.0',
    ST_USER: `${tenant}:${user}`,
    ST_KEY: password,
    NOVA_VERSION: '1.1',
  };
}

/** The file a shell sources; mode 0600 because of the password. */
export async function writeOpenrc(file: string, credentials: Credentials): Promise<void> {
  const lines = Object.entries(openrc(credentials)).map(([name, value]) => `export ${name}=${quote(value)}`);
  const text = `# Source this file: . ${file}\n${lines.join('\n')}\n`;
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await chmod(`${file}.new`, 0o600);
  await rename(`${file}.new`, file);
}

const quote = (value: string): string =>
  /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
