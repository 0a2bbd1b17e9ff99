import { afterAll, beforeAll, expect, it } from 'vitest';
import { bootBody, startTestApi, type TestApi } from './test-api.ts';

let test: TestApi;
beforeAll(async () => {
  test = await startTestApi();
});
afterAll(() => test.stop());

it.each([
  ['os-stop', null, 'error', 400],
  ['pause', null, 'active', 409],
  ['reboot', { type: 'SOFT' }, 'active', 409],
  ['rescue', null, 'active', 409],
  ['createImage', { name: 'snap' }, 'active', 409],
  ['resize', { flavorRef: '2' }, 'active', 409],
])(
  '%s %j of a server that no host has, in %s, is refused: nobody would ever end it',
  async (action, body, vm_state, status) => {
    const made = await test.call('POST', 'servers', { body: bootBody() });
    expect(made.status).toBe(202);
    const { id } = made.json.server;
    const rows = () => test.db.knex('instances').where({ uuid: id });
    await rows().update({ vm_state, task_state: null, host: null });
    const answer = await test.call('POST', `servers/${id}/action`, { body: { [action]: body }, admin: true });
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(`vm_state ${vm_state}`)]);
    expect(await rows().first('task_state')).toEqual({ task_state: null });
    expect((await test.call('DELETE', `servers/${id}`)).status).toBe(204);
  },
);
