import { type Access, imageHeaders } from './access.ts';
import { answersOf, differences } from './answers.ts';
import { type Course, course } from './courses/course.ts';
import { listed } from './courses/objects.ts';
import { act, boot, destroy, SMALL, serverIs, showServer } from './courses/server.ts';
import { same, until } from './rest.ts';

/** What users had when their cloud was taken over. */
export interface Kept {
  servers: Record<'active' | 'stopped' | 'resized', string>;
  floating: { id: string; address: string };
  volume: string;
  snapshot: string;
  image: string;
  group: string;
  aggregate: string;
  answers: ReadonlyMap<string, unknown>;
}

const DATA = Buffer.from('kept\n'.repeat(1000));

/** Makes something of every kind. */
export async function make(access: Access): Promise<Kept> {
  const { demo, admin } = access;
  const [active, stopped, resized] = await Promise.all(
    ['active', 'stopped', 'resized'].map(async name => (await boot(access, demo, name)).id),
  );
  const servers = { active: active ?? '', stopped: stopped ?? '', resized: resized ?? '' };
  await act(demo, servers.stopped, 'os-stop');
  await act(demo, servers.resized, 'resize', { flavorRef: SMALL });
  const { floating_ip: floating } = (
    await demo.compute('POST', '/os-floating-ips', { body: { pool: 'nova' } })
  ).json;
  await act(demo, servers.active, 'addFloatingIp', { address: floating.ip });
  const volume = (
    await demo.volume('POST', '/volumes', { body: { volume: { size: 2, display_name: 'kept' } } })
  ).json.volume.id;
  const available = async (kind: 'volume' | 'snapshot', id: string) =>
    until(`${kind} available`, async () =>
      (await demo.volume('GET', `/${kind}s/${id}`)).json[kind].status === 'available' ? true : undefined,
    );
  await available('volume', volume);
  const { snapshot } = (
    await demo.volume('POST', '/snapshots', {
      body: { snapshot: { volume_id: volume, display_name: 'kept' } },
    })
  ).json;
  await available('snapshot', snapshot.id);
  const headers = {
    ...imageHeaders('kept'),
    'x-image-meta-property-colour': 'green',
    'x-image-meta-protected': 'True',
  };
  const image = (await demo.image('POST', '/v1/images', { raw: DATA, headers })).json.image.id;
  const group = (
    await demo.compute('POST', '/os-security-groups', {
      body: { security_group: { name: 'kept', description: 'kept' } },
    })
  ).json.security_group.id;
  const rule = {
    parent_group_id: group,
    ip_protocol: 'icmp',
    from_port: -1,
    to_port: -1,
    cidr: '10.0.0.0/8',
  };
  await demo.compute('POST', '/os-security-group-rules', { body: { security_group_rule: rule } });
  await demo.compute('POST', '/os-keypairs', { body: { keypair: { name: 'kept' } } });
  const aggregate = (
    await admin.compute('POST', '/os-aggregates', {
      body: { aggregate: { name: 'kept', availability_zone: 'nova' } },
    })
  ).json.aggregate.id;
  await demo.objects('PUT', '/kept');
  await demo.objects('PUT', '/kept/object', { raw: DATA });
  await serverIs(demo, servers.stopped, 'SHUTOFF');
  await serverIs(demo, servers.resized, 'VERIFY_RESIZE');
  await until('its floating address', async () =>
    (await showServer(demo, servers.active)).addresses.private?.length === 2 ? true : undefined,
  );
  await until('the object listed', async () => ((await listed(demo, '/kept')) === 1 ? true : undefined));
  const kept = { servers, volume, snapshot: snapshot.id, image, group, aggregate };
  return {
    ...{ ...kept, floating: { id: floating.id, address: floating.ip } },
    answers: await answersOf(access),
  };
}

/** That the other side shows the same, lets it be used, and takes it away. */
export const takenOver = (kept: Kept): Course[] => [
  course('taken over', () => ({ after: new Map<string, unknown>() }), {
    asked: async (access, bag) => {
      bag.after = await answersOf(access);
    },
    ...Object.fromEntries(
      [...kept.answers].map(([what, before]) => [
        what,
        async (_: Access, { after }: { after: ReadonlyMap<string, unknown> }) => {
          const found = differences(before, after.get(what));
          if (found.length > 0) throw new Error(found.slice(0, 5).join('; '));
        },
      ]),
    ),
    'resize confirmed': async ({ demo }) => {
      await act(demo, kept.servers.resized, 'confirmResize');
      same('the flavor', (await serverIs(demo, kept.servers.resized, 'ACTIVE')).flavor.id, SMALL);
    },
    'stopped started': async ({ demo }) => {
      await act(demo, kept.servers.stopped, 'os-start');
      await serverIs(demo, kept.servers.stopped, 'ACTIVE');
    },
    'active rebooted': async ({ demo }) => {
      await act(demo, kept.servers.active, 'reboot', { type: 'HARD' });
      await serverIs(demo, kept.servers.active, 'ACTIVE');
    },
    'floating address moved': async ({ demo }) => {
      const { address } = kept.floating;
      await act(demo, kept.servers.active, 'removeFloatingIp', { address });
      await act(demo, kept.servers.stopped, 'addFloatingIp', { address });
      await until('it is there', async () =>
        (await showServer(demo, kept.servers.stopped)).addresses.private?.some(({ addr }) => addr === address)
          ? true
          : undefined,
      );
    },
    'servers deleted': async ({ demo }) => {
      for (const id of Object.values(kept.servers)) await destroy(demo, id);
    },
    'floating address released': async ({ demo }) => {
      const path = `/os-floating-ips/${kept.floating.id}`;
      await until('free', async () =>
        (await demo.compute('GET', path)).json.floating_ip.fixed_ip === null ? true : undefined,
      );
      await demo.compute('DELETE', path);
    },
    'snapshot and volume deleted': async ({ demo }) => {
      const none = (kind: string) =>
        until(`no ${kind}`, async () =>
          (await demo.volume('GET', `/${kind}/detail`)).json[kind].length === 0 ? true : undefined,
        );
      await demo.volume('DELETE', `/snapshots/${kept.snapshot}`);
      await none('snapshots');
      await demo.volume('DELETE', `/volumes/${kept.volume}`);
      await none('volumes');
    },
    'image deleted': async ({ demo }) => {
      same('the data', (await demo.image('GET', `/v1/images/${kept.image}`)).bytes.equals(DATA), true);
      const headers = { 'x-image-meta-protected': 'False', 'x-glance-registry-purge-props': 'false' };
      await demo.image('PUT', `/v1/images/${kept.image}`, { headers });
      await demo.image('DELETE', `/v1/images/${kept.image}`);
    },
    'group, key pair and aggregate deleted': async ({ demo, admin }) => {
      await demo.compute('DELETE', `/os-security-groups/${kept.group}`);
      await demo.compute('DELETE', '/os-keypairs/kept');
      await admin.compute('DELETE', `/os-aggregates/${kept.aggregate}`);
    },
    'objects deleted': async ({ demo }) => {
      await demo.objects('DELETE', '/kept/object');
      await until('nothing listed', async () => ((await listed(demo, '/kept')) === 0 ? true : undefined));
      await demo.objects('DELETE', '/kept');
    },
  }),
];
