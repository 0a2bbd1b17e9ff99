import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootBody, startTestApi, type TestApi } from './test-api.ts';

// What the original complained about first where two things are wrong with a request.
let api: TestApi;
let server: string;
const UNKNOWN = '00000000-0000-4000-8000-00000000dead';
beforeAll(async () => {
  api = await startTestApi();
  server = (await api.call('POST', 'servers', { body: bootBody() })).json.server.id;
});
afterAll(() => api.stop());

const action = async (id: string, body: unknown, admin = false) =>
  (await api.call('POST', `servers/${id}/action`, { body: body as object, admin })).status;

describe('the body of an action', () => {
  it.each([
    ['text', 400],
    ['t', 404],
    ['', 400],
    [5, 404],
    [true, 404],
    [null, 404],
    [[], 400],
    [['pause'], 404],
    [['pause', 'x'], 400],
    [{}, 400],
    [{ pause: null, lock: null }, 400],
    [{ nosuch: null }, 400],
  ])('%j is %i', async (body, status) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await api.call('POST', `servers/${server}/action`, { raw: JSON.stringify(body), headers });
    expect(answer.status).toBe(status);
  });
});

describe('a server that is not there', () => {
  const image = bootBody().server.imageRef;
  it.each([
    [{ reboot: { type: 'WARM' } }, 400],
    [{ changePassword: {} }, 400],
    [{ resize: {} }, 400],
    [{ createImage: {} }, 400],
    [{ 'os-getConsoleOutput': { length: 'x' } }, 404],
    [{ rebuild: { imageRef: 'nonsense', name: '' } }, 400],
    [{ rebuild: { imageRef: image, name: '' } }, 404],
    [{ rebuild: { imageRef: image, metadata: 5 } }, 404],
  ])('comes in its turn: %j is %i', async (body, status) => {
    expect(await action(UNKNOWN, body)).toBe(status);
    expect(await action(server, body)).toBe(400);
  });
});

describe('a host that is not there', () => {
  const put = async (host: string, body: object, admin: boolean) =>
    (await api.call('PUT', `os-hosts/${host}`, { body, admin })).status;

  it('is told to administrators only, and before the settings are looked at', async () => {
    await api.db.knex('services').insert({
      host: 'there',
      binary: 'nova-compute',
      topic: 'compute',
      report_count: 1,
      disabled: 0,
      deleted: 0,
    });
    expect(await put('nowhere', { status: 'enable' }, false)).toBe(403);
    expect(await put('nowhere', { status: 'enable' }, true)).toBe(404);
    expect(await put('nowhere', { status: 'perhaps' }, true)).toBe(404);
    expect(await put('there', { status: 'perhaps' }, true)).toBe(400);
    expect(await put('there', { status: 'perhaps' }, false)).toBe(403);
  });
});
