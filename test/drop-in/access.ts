import type { Cloud } from './cloud.ts';
import { ADMIN_TOKEN, PASSWORD, SERVICE_TENANT, SERVICE_USER } from './configuration.ts';
import { type Caller, caller } from './rest.ts';
import { type Rows, rowsOf } from './rows.ts';

/** A login of a cloud, with the services it asks. */
export interface Login {
  token: string;
  tenantId: string;
  identity: Caller;
  image: Caller;
  compute: Caller;
  volume: Caller;
  objects: Caller;
  rows: Rows;
}

/** What operations are given. */
export interface Access {
  /** With keystone's admin_token. */
  keystone: Caller;
  /** Where metadata is served to guests. */
  metadata: string;
  demo: Login;
  /** An administrator in the same tenant. */
  admin: Login;
  /** An image to boot from. */
  image: string;
}

const USERS = { demo: 'Member', admin: 'admin' } as const;
const TENANT = 'demo';
const HERE = 'http://127.0.0.1';

/** Tenants, users, services, networks and an image: once for a cloud, by the originals' ways. */
export async function populate(cloud: Cloud): Promise<void> {
  const { ports } = cloud.facts;
  const keystone = caller(`${HERE}:${ports.identityAdmin}/v2.0`, ADMIN_TOKEN);
  const tenant = async (name: string) =>
    (await keystone('POST', '/tenants', { body: { tenant: { name, enabled: true } } })).json.tenant.id;
  const tenants = { [TENANT]: await tenant(TENANT), [SERVICE_TENANT]: await tenant(SERVICE_TENANT) };
  const roles: Record<string, string> = {};
  for (const name of ['admin', 'Member'])
    roles[name] = (await keystone('POST', '/OS-KSADM/roles', { body: { role: { name } } })).json.role.id;
  const users = [
    ...Object.entries(USERS).map(([name, role]) => ({ name, role, of: tenants[TENANT] })),
    { name: SERVICE_USER, role: 'admin', of: tenants[SERVICE_TENANT] },
  ];
  for (const { name, role, of } of users) {
    const body = { user: { name, password: PASSWORD, tenantId: of, enabled: true, email: null } };
    const { id } = (await keystone('POST', '/users', { body })).json.user;
    await keystone('PUT', `/tenants/${of}/users/${id}/roles/OS-KSADM/${roles[role]}`);
  }
  const services = {
    identity: `${HERE}:${ports.identity}/v2.0`,
    image: `${HERE}:${ports.image}`,
    compute: `${HERE}:${ports.compute}/v2/$(tenant_id)s`,
    volume: `${HERE}:${ports.volume}/v1/$(tenant_id)s`,
    'object-store': `${HERE}:${ports.proxy}/v1/AUTH_$(tenant_id)s`,
  };
  for (const [type, url] of Object.entries(services)) {
    const described = { name: type, type, description: type };
    const made = await keystone('POST', '/OS-KSADM/services', { body: { 'OS-KSADM:service': described } });
    const endpoint = {
      ...{ region: 'RegionOne', service_id: made.json['OS-KSADM:service'].id },
      ...{ publicurl: url, internalurl: url, adminurl: url },
    };
    await keystone('POST', '/endpoints', { body: { endpoint } });
  }
  const network = [
    '--label=private',
    '--fixed_range_v4=10.0.0.0/24',
    '--num_networks=1',
    '--network_size=256',
  ];
  await cloud.manage('nova', ['network', 'create', ...network, '--bridge=br100', '--bridge_interface=lo']);
  await cloud.manage('nova', ['floating', 'create', '--ip_range=192.0.2.0/28', '--pool=nova']);
}

async function login(cloud: Cloud, username: string): Promise<Login> {
  const { ports } = cloud.facts;
  const identity = (token: string) => caller(`${HERE}:${ports.identity}/v2.0`, token);
  const auth = { tenantName: TENANT, passwordCredentials: { username, password: PASSWORD } };
  const { access } = (await identity('')('POST', '/tokens', { body: { auth } })).json;
  const token = access.token.id;
  const url = (type: string): string =>
    access.serviceCatalog.find((service: { type: string }) => service.type === type).endpoints[0].publicURL;
  return {
    ...{ token, tenantId: access.token.tenant.id, identity: identity(token), rows: rowsOf(cloud.nova) },
    image: caller(url('image'), token),
    compute: caller(url('compute'), token),
    volume: caller(url('volume'), token),
    objects: caller(url('object-store'), token),
  };
}

/** Logs in anew. The image to boot from is made where there is none. */
export async function accessTo(cloud: Cloud): Promise<Access> {
  const { ports } = cloud.facts;
  const [demo, admin] = [await login(cloud, 'demo'), await login(cloud, 'admin')];
  const { images } = (await demo.image('GET', '/v1/images?name=base')).json;
  const made = async () =>
    (
      await admin.image('POST', '/v1/images', {
        raw: Buffer.alloc(4096),
        headers: imageHeaders('base', true),
      })
    ).json.image.id;
  return {
    ...{ demo, admin, metadata: `${HERE}:${ports.metadata}` },
    keystone: caller(`${HERE}:${ports.identityAdmin}/v2.0`, ADMIN_TOKEN),
    image: images[0]?.id ?? (await made()),
  };
}

export const imageHeaders = (name: string, isPublic = false): Record<string, string> => ({
  'content-type': 'application/octet-stream',
  'x-image-meta-name': name,
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
  'x-image-meta-is_public': isPublic ? 'True' : 'False',
});
