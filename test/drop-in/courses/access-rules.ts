import { same } from '../rest.ts';
import { course } from './course.ts';
import { boot, destroy } from './server.ts';

const KEY = 'everyday-key';

/** Groups, their rules, key pairs and certificates. */
export const accessRules = course('access', () => ({ group: 0, rule: 0, server: '' }), {
  'group made': async ({ demo }, bag) => {
    const body = { security_group: { name: 'everyday', description: 'of every day' } };
    bag.group = (await demo.compute('POST', '/os-security-groups', { body })).json.security_group.id;
  },
  'rule made': async ({ demo }, bag) => {
    const rule = {
      parent_group_id: bag.group,
      ip_protocol: 'tcp',
      from_port: 22,
      to_port: 22,
      cidr: '0.0.0.0/0',
    };
    const body = { security_group_rule: rule };
    bag.rule = (await demo.compute('POST', '/os-security-group-rules', { body })).json.security_group_rule.id;
  },
  'key pair made': async ({ demo }) => {
    const { keypair } = (await demo.compute('POST', '/os-keypairs', { body: { keypair: { name: KEY } } }))
      .json;
    same('a private key', keypair.private_key.includes('PRIVATE KEY'), true);
  },
  'key pairs listed': async ({ demo }) => {
    const { keypairs } = (await demo.compute('GET', '/os-keypairs')).json;
    same(
      'it',
      keypairs.map((one: { keypair: { name: string } }) => one.keypair.name),
      [KEY],
    );
  },
  'boot with both': async (access, bag) => {
    const more = { key_name: KEY, security_groups: [{ name: 'everyday' }] };
    const server = await boot(access, access.demo, 'guarded', more);
    bag.server = server.id;
    same('the key', server.key_name, KEY);
    const groups = (await access.demo.compute('GET', `/servers/${server.id}/os-security-groups`)).json;
    same(
      'groups',
      groups.security_groups.map((one: { name: string }) => one.name),
      ['everyday'],
    );
  },
  'rule deleted': async ({ demo }, { rule, group }) => {
    await demo.compute('DELETE', `/os-security-group-rules/${rule}`);
    const { security_group: shown } = (await demo.compute('GET', `/os-security-groups/${group}`)).json;
    same('rules', shown.rules.length, 0);
  },
  'server deleted': ({ demo }, { server }) => destroy(demo, server),
  'group deleted': async ({ demo }, { group }) => {
    await demo.compute('DELETE', `/os-security-groups/${group}`);
    await demo.compute('GET', `/os-security-groups/${group}`, { status: 404 });
  },
  'key pair deleted': async ({ demo }) => {
    await demo.compute('DELETE', `/os-keypairs/${KEY}`);
    same('key pairs', (await demo.compute('GET', '/os-keypairs')).json.keypairs.length, 0);
  },
  'root certificate': async ({ demo }) => {
    const { certificate } = (await demo.compute('GET', '/os-certificates/root')).json;
    same('it', certificate.data.includes('BEGIN CERTIFICATE'), true);
  },
  'certificate made': async ({ demo }) => {
    const { certificate } = (await demo.compute('POST', '/os-certificates')).json;
    same('it', certificate.private_key.includes('PRIVATE KEY'), true);
  },
});
