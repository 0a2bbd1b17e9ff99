import { PASSWORD } from '../configuration.ts';
import { same } from '../rest.ts';
import { course } from './course.ts';

const auth = (username: string, password: string) => ({
  body: { auth: { tenantName: 'demo', passwordCredentials: { username, password } } },
});

export const identity = course('identity', () => ({ token: '', user: '' }), {
  'token by password': async ({ demo }, bag) => {
    const { access } = (await demo.identity('POST', '/tokens', auth('demo', PASSWORD))).json;
    same('the tenant', access.token.tenant.name, 'demo');
    bag.token = access.token.id;
  },
  'wrong password': async ({ demo }) => {
    await demo.identity('POST', '/tokens', { ...auth('demo', 'wrong'), status: 401 });
  },
  'token validated': async ({ keystone }, { token }) => {
    const { access } = (await keystone('GET', `/tokens/${token}`)).json;
    same('the user', access.user.name, 'demo');
  },
  'tenants listed': async ({ demo }) => {
    const { tenants } = (await demo.identity('GET', '/tenants')).json;
    same('tenants', tenants.length, 1);
  },
  'user made': async ({ keystone }, bag) => {
    const user = { name: 'somebody', password: PASSWORD, enabled: true, email: 'somebody@example.org' };
    bag.user = (await keystone('POST', '/users', { body: { user } })).json.user.id;
    same('the user', (await keystone('GET', `/users/${bag.user}`)).json.user.email, user.email);
  },
  'user deleted': async ({ keystone }, { user }) => {
    await keystone('DELETE', `/users/${user}`);
    await keystone('GET', `/users/${user}`, { status: 404 });
  },
  'endpoints listed': async ({ keystone }) => {
    same('endpoints', (await keystone('GET', '/endpoints')).json.endpoints.length, 5);
  },
  'token revoked': async ({ keystone }, { token }) => {
    await keystone('DELETE', `/tokens/${token}`);
    await keystone('GET', `/tokens/${token}`, { status: 404 });
  },
});
