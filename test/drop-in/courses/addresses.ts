import { same, until } from '../rest.ts';
import { course } from './course.ts';
import { act, boot, destroy, showServer } from './server.ts';

export const addresses = course('floating address', () => ({ id: '', address: '', server: '' }), {
  boot: async (access, bag) => {
    bag.server = (await boot(access, access.demo, 'reached')).id;
  },
  allocate: async ({ demo }, bag) => {
    const { floating_ip: made } = (await demo.compute('POST', '/os-floating-ips', { body: { pool: 'nova' } }))
      .json;
    bag.id = String(made.id);
    bag.address = made.ip;
  },
  associate: async ({ demo }, { address, server }) => {
    await act(demo, server, 'addFloatingIp', { address });
    await until('two addresses', async () => {
      const shown = (await showServer(demo, server)).addresses.private ?? [];
      return shown.some(({ addr }) => addr === address) ? true : undefined;
    });
  },
  list: async ({ demo }, { address, server }) => {
    const { floating_ips: listed } = (await demo.compute('GET', '/os-floating-ips')).json;
    same('its server', listed.find((one: { ip: string }) => one.ip === address)?.instance_id, server);
  },
  disassociate: async ({ demo }, { id, address, server }) => {
    await act(demo, server, 'removeFloatingIp', { address });
    await until('no server', async () => {
      const { floating_ip: shown } = (await demo.compute('GET', `/os-floating-ips/${id}`)).json;
      return shown.instance_id === null ? true : undefined;
    });
  },
  'associated when the server goes': async ({ demo }, { address, server }) => {
    await act(demo, server, 'addFloatingIp', { address });
    await destroy(demo, server);
  },
  release: async ({ demo }, { id }) => {
    await until('no server', async () => {
      const { floating_ip: shown } = (await demo.compute('GET', `/os-floating-ips/${id}`)).json;
      return shown.fixed_ip === null ? true : undefined;
    });
    await demo.compute('DELETE', `/os-floating-ips/${id}`);
    await until('not listed', async () => {
      const { floating_ips: listed } = (await demo.compute('GET', '/os-floating-ips')).json;
      return listed.length === 0 ? true : undefined;
    });
  },
});
