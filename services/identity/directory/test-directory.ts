import { Client } from 'ldapts';

/** An LDAP server, empty, and who may do everything in it. */
interface EmptyServer {
  url: string;
  suffix: string;
  rootDn: string;
  rootPassword: string;
  /** Certificates (PEM) to trust, of one at `ldaps://`. */
  ca?: string;
}

/** A directory of a test's own with the trees that Folsom's documentation asks for, and what keystone.conf says to use it. */
export interface TestDirectory {
  /** Sections of keystone.conf. */
  settings: Record<string, Record<string, string>>;
  /** Does something with the directory itself, as who may do everything. */
  as<T>(work: (client: Client) => Promise<T>): Promise<T>;
}

export async function fillDirectory(server: EmptyServer): Promise<TestDirectory> {
  const as = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({
      url: server.url,
      ...(server.ca === undefined ? {} : { tlsOptions: { ca: server.ca } }),
    });
    try {
      await client.bind(server.rootDn, server.rootPassword);
      return await work(client);
    } finally {
      await client.unbind();
    }
  };
  await as(async client => {
    await client.add(server.suffix, {
      objectClass: ['dcObject', 'organization'],
      dc: 'example',
      o: 'example',
    });
    for (const ou of ['Users', 'Groups', 'Roles'])
      await client.add(`ou=${ou},${server.suffix}`, { objectClass: 'organizationalUnit', ou });
  });
  const ldap = {
    url: server.url,
    user: server.rootDn,
    password: server.rootPassword,
    suffix: server.suffix,
    page_size: '2',
  };
  return {
    settings: { identity: { driver: 'keystone.identity.backends.ldap.Identity' }, ldap },
    as,
  };
}
