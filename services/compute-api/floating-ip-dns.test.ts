import { systemClock } from '@folsom/core';
import { registerDnsDomain } from '@folsom/nova/dns-domains';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { takeFloatingIp } from '@folsom/nova/floating-ips';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO, OTHER, startTestApi, type TestApi } from './test-api.ts';

describe('names of floating addresses', () => {
  let test: TestApi;
  /** Names as the network service keeps them. */
  const names = new Map<string, string>();
  const now = () => systemClock.now();
  const addressOf = new Map<string, string>();

  beforeAll(async () => {
    const key = (args: Record<string, unknown>) => `${args.name}.${args.domain}`;
    test = await startTestApi({
      answers: {
        'network.get_dns_domains': () => [
          { domain: 'mine.net', scope: 'public', project: DEMO },
          { domain: 'theirs.net', scope: 'public', project: OTHER },
          { domain: 'all.net', scope: 'public', project: null },
          { domain: 'vms.net', scope: 'private', availability_zone: 'nova' },
        ],
        'network.get_dns_entries_by_name': (_context, args) => [names.get(key(args)) ?? []].flat(),
        'network.get_dns_entries_by_address': (_context, args) =>
          [...names].flatMap(([name, address]) => (address === args.address ? [name.split('.')[0]] : [])),
        'network.add_dns_entry': (_context, args) => void names.set(key(args), String(args.address)),
        'network.modify_dns_entry': (_context, args) => void names.set(key(args), String(args.address)),
        'network.delete_dns_entry': (_context, args) => void names.delete(key(args)),
      },
    });
    const of = (project_id: string | null) => ({ scope: 'public', project_id }) as const;
    await registerDnsDomain(test.db, 'mine.net', of(DEMO), now());
    await registerDnsDomain(test.db, 'theirs.net', of(OTHER), now());
    await registerDnsDomain(test.db, 'all.net', of(null), now());
    await registerDnsDomain(test.db, 'vms.net', { scope: 'private', availability_zone: 'nova' }, now());
    const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
    await createFloatingIps(test.db, { addresses, pool: 'nova', interface: 'eth0' }, now());
    for (const [who, projectId] of [
      ['demo', DEMO],
      ['other', OTHER],
    ] as const) {
      const asked = { projectId, pool: 'nova', autoAssigned: false };
      addressOf.set(who, await takeFloatingIp(test.db, asked, now()));
    }
  });
  afterAll(() => test.stop());

  const put = (path: string, ip: unknown, token = 'demo') =>
    test.call('PUT', `os-floating-ip-dns/${path}`, { token, body: { dns_entry: { ip, dns_type: 'A' } } });
  const own = () => addressOf.get('demo');

  it('are entered, shown both ways and deleted, with dots as clients write them', async () => {
    const made = await put('mine%252Enet/entries/www', own());
    expect(made.json.dns_entry).toEqual({
      ...{ ip: own(), name: 'www', domain: 'mine.net', type: 'A', id: null },
    });
    const shown = await test.call('GET', 'os-floating-ip-dns/mine.net/entries/www');
    expect(shown.json.dns_entry).toEqual({ ...made.json.dns_entry, type: null });
    const listed = await test.call('GET', `os-floating-ip-dns/mine.net/entries?ip=${own()}`);
    expect(listed.json.dns_entries).toEqual([shown.json.dns_entry]);
    const xml = await test.call('GET', 'os-floating-ip-dns/mine.net/entries/www', {
      headers: { accept: 'application/xml' },
    });
    expect(xml.text).toContain(`ip="${own()}"`);
    const gone = await test.call('DELETE', 'os-floating-ip-dns/mine.net/entries/www');
    expect([gone.status, gone.text]).toEqual([202, '']);
    const missing = await test.call('GET', 'os-floating-ip-dns/mine.net/entries/www');
    expect([missing.status, missing.json]).toEqual([
      404,
      { itemNotFound: { message: 'Resource could not be found.', code: 404 } },
    ]);
  });

  it('are in domains that administrators make, of which a tenant sees its own and everybody’s', async () => {
    const list = async (token: string) =>
      (await test.call('GET', 'os-floating-ip-dns', { token })).json.domain_entries.map(
        (entry: { domain: string }) => entry.domain,
      );
    expect(await list('admin')).toEqual(['mine.net', 'theirs.net', 'all.net', 'vms.net']);
    expect(await list('demo')).toEqual(['mine.net', 'all.net', 'vms.net']);
    const set = (body: unknown, admin: boolean, name = 'new.net') =>
      test.call('PUT', `os-floating-ip-dns/${name}`, { admin, body });
    const made = await set({ domain_entry: { scope: 'public', project: DEMO } }, true);
    expect(made.json.domain_entry).toEqual({
      ...{ domain: 'new.net', scope: 'public', project: DEMO, availability_zone: null },
    });
    expect(test.messages.at(-1)).toEqual({
      to: 'network.create_public_dns_domain',
      args: { domain: 'new.net', project: DEMO },
    });
    expect((await set({ domain_entry: { scope: 'public' } }, false)).status).toBe(403);
    expect((await test.call('DELETE', 'os-floating-ip-dns/mine.net')).status).toBe(403);
    for (const entry of [
      undefined,
      { project: DEMO },
      { scope: 'secret' },
      { scope: 'private', project: DEMO },
      { scope: 'public', availability_zone: 'nova' },
    ])
      expect((await set({ domain_entry: entry }, true)).status).toBe(422);
    expect((await set({ domain_entry: { scope: 'public' } }, true, 'a%20b.net')).status).toBe(400);
  });

  it("of others' domains and addresses are nobody else's to change", async () => {
    expect((await put('theirs.net/entries/www', own())).status).toBe(403);
    expect((await put('vms.net/entries/www', own())).status).toBe(403);
    expect((await put('nosuch.net/entries/www', own())).status).toBe(404);
    expect((await put('all.net/entries/www', addressOf.get('other'))).status).toBe(403);
    expect((await put('all.net/entries/www', '198.51.100.1')).status).toBe(403);
    expect((await put('all.net/entries/shop', addressOf.get('other'), 'other')).status).toBe(200);
    expect((await put('all.net/entries/shop', own())).status).toBe(403);
    expect((await test.call('DELETE', 'os-floating-ip-dns/all.net/entries/shop')).status).toBe(403);
    expect(names.get('shop.all.net')).toBe(addressOf.get('other'));
  });

  it('are names, and lead to addresses', async () => {
    for (const name of ['a b', 'x%0A192.0.2.9%20evil', '-x', 'a..b', 'x'.repeat(64)])
      expect((await put(`all.net/entries/${name}`, own())).status).toBe(400);
    for (const ip of ['nonsense', 7, {}, [], null, '192.0.2.1\n1.1.1.1 x'])
      expect((await put('all.net/entries/www', ip)).status).toBe(400);
    expect((await test.call('GET', 'os-floating-ip-dns/all.net/entries')).status).toBe(422);
    expect((await test.call('GET', 'os-floating-ip-dns/all.net/entries?ip=x')).status).toBe(400);
    const bare = await test.call('PUT', 'os-floating-ip-dns/all.net/entries/www', {
      body: { dns_entry: {} },
    });
    expect(bare.status).toBe(422);
  });
});
