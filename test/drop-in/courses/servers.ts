import { same, until } from '../rest.ts';
import { type Course, course, type Operation } from './course.ts';
import { act, boot, destroy, type Server, SMALL, serverIs, showServer, TINY } from './server.ts';

interface Bag {
  id: string;
  address: string;
}

/** An action, and the status that the server has after it. */
const turns =
  (action: string, status: string, of: unknown = null): Operation<Bag> =>
  async ({ admin }, { id }) => {
    await act(admin, id, action, of);
    await serverIs(admin, id, status);
  };

const resize =
  (flavorRef: string): Operation<Bag> =>
  async ({ admin }, { id }) => {
    await act(admin, id, 'resize', { flavorRef });
    await serverIs(admin, id, 'VERIFY_RESIZE');
  };

/** What is decided about a resize, and the flavor that the server has then. */
const decided =
  (action: string, flavor: string): Operation<Bag> =>
  async ({ admin }, { id }) => {
    await act(admin, id, action);
    // Accepted a moment before the source has done it.
    await until(`ACTIVE with flavor ${flavor}`, async () => {
      const server = await serverIs(admin, id, 'ACTIVE');
      return server.flavor.id === flavor ? true : undefined;
    });
  };

const addressesOf = ({ addresses }: Server) => (addresses.private ?? []).map(({ addr }) => addr);

/** The life of a server that begins on one host; resizes lead it to another. */
export const serversOn = (host: string): Course =>
  course<Bag>(`server on ${host}`, () => ({ id: '', address: '' }), {
    boot: async (access, bag) => {
      const { admin } = access;
      const server = await boot(access, admin, `everyday-${host}`, { availability_zone: `nova:${host}` });
      same('the host', server['OS-EXT-SRV-ATTR:host'], host);
      bag.id = server.id;
      bag.address = addressesOf(server)[0] ?? '';
    },
    list: async ({ demo }, { id }) => {
      const { servers } = (await demo.compute('GET', '/servers/detail')).json;
      same('its status', servers.find((one: Server) => one.id === id)?.status, 'ACTIVE');
    },
    show: async ({ demo }, { id }) => {
      const { name, flavor } = await showServer(demo, id);
      same('it', [name, flavor.id], [`everyday-${host}`, TINY]);
    },
    rename: async ({ demo }, { id }) => {
      await demo.compute('PUT', `/servers/${id}`, { body: { server: { name: 'renamed' } } });
      same('the name', (await showServer(demo, id)).name, 'renamed');
    },
    metadata: async ({ demo }, { id }) => {
      await demo.compute('POST', `/servers/${id}/metadata`, { body: { metadata: { colour: 'green' } } });
      same('it', (await demo.compute('GET', `/servers/${id}/metadata/colour`)).json, {
        meta: { colour: 'green' },
      });
    },
    'what the guest is told': async ({ demo, metadata }, { id, address }) => {
      const asked = { headers: { 'x-forwarded-for': address }, signal: AbortSignal.timeout(60_000) };
      const answer = await fetch(`${metadata}/openstack/latest/meta_data.json`, asked);
      const told = (await answer.json()) as { uuid: string };
      same('the server', told.uuid, (await showServer(demo, id)).id);
    },
    'soft reboot': turns('reboot', 'ACTIVE', { type: 'SOFT' }),
    'hard reboot': turns('reboot', 'ACTIVE', { type: 'HARD' }),
    stop: turns('os-stop', 'SHUTOFF'),
    start: turns('os-start', 'ACTIVE'),
    pause: turns('pause', 'PAUSED'),
    unpause: turns('unpause', 'ACTIVE'),
    suspend: turns('suspend', 'SUSPENDED'),
    resume: turns('resume', 'ACTIVE'),
    rescue: turns('rescue', 'RESCUE', {}),
    unrescue: turns('unrescue', 'ACTIVE'),
    rebuild: async (access, { id }) => {
      await act(access.admin, id, 'rebuild', { imageRef: access.image, name: 'rebuilt' });
      same('the name', (await serverIs(access.admin, id, 'ACTIVE')).name, 'rebuilt');
    },
    'console log': async ({ demo }, { id }) => {
      const { json } = await act(demo, id, 'os-getConsoleOutput', { length: 10 });
      same('what it is', typeof json.output, 'string');
    },
    'console address': async ({ demo }, { id }) => {
      const { json } = await act(demo, id, 'os-getVNCConsole', { type: 'novnc' });
      same('its type', json.console.type, 'novnc');
    },
    'a second address': async ({ demo, admin }, { id }) => {
      const { networks } = (await admin.compute('GET', '/os-networks')).json;
      await act(demo, id, 'addFixedIp', { networkId: networks[0].id });
      await until('two addresses', async () =>
        addressesOf(await showServer(demo, id)).length === 2 ? true : undefined,
      );
    },
    'the second address given back': async ({ demo }, { id, address }) => {
      const second = addressesOf(await showServer(demo, id)).find(one => one !== address);
      await act(demo, id, 'removeFixedIp', { address: second });
      await until('one address', async () =>
        addressesOf(await showServer(demo, id)).length === 1 ? true : undefined,
      );
    },
    snapshot: async ({ demo }, { id }) => {
      const answer = await act(demo, id, 'createImage', { name: `picture-${host}` });
      const image = answer.headers.get('location')?.split('/').at(-1) ?? '';
      // A fake hypervisor has no data to upload: the original's leaves the image as it was made.
      same('its server', (await demo.compute('GET', `/images/${image}`)).json.image.server.id, id);
      await serverIs(demo, id, 'ACTIVE');
      await demo.image('DELETE', `/v1/images/${image}`);
    },
    'resize up': resize(SMALL),
    'resize confirmed': decided('confirmResize', SMALL),
    'resize down': resize(TINY),
    'resize down confirmed': decided('confirmResize', TINY),
    'resize up again': resize(SMALL),
    'resize reverted': decided('revertResize', TINY),
    'resize up, deleted before it is confirmed': async ({ admin }, { id }) => {
      await act(admin, id, 'resize', { flavorRef: SMALL });
      await serverIs(admin, id, 'VERIFY_RESIZE');
      await destroy(admin, id);
    },
  });
