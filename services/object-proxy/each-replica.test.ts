import { EACH_BY_ITSELF, EACH_DEVICES, EACH_HEADER, EACH_METHODS } from '@folsom/swift';
import { answer, readAll, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import { afterEach, describe, expect, it } from 'vitest';
import { testProxy } from './test-nodes.ts';

type Proxy = Awaited<ReturnType<typeof testProxy>>;
let proxy: Proxy;
afterEach(() => proxy.stop());

const LARGE = Buffer.alloc(3 * 1024 * 1024, 'x');
const OBJECT = '/v1/a/c/o';

/** What a server was asked about objects. */
interface Asked {
  method: string;
  devices: string[];
  containers: string | undefined;
  bytes: number;
}

/** One server of five devices before a proxy; `status` says what comes of a change on each. */
async function oneServer(status: (device: string, together: boolean) => number | 'refused') {
  proxy = await testProxy({ nodes: 1, devices: 5 });
  const asked: Asked[] = [];
  const handle = async (request: ServerRequest): Promise<ServerResponse> => {
    const { method, target, headers } = request;
    const together = target.split('/').length === 5;
    const devices = together ? (headers.get(EACH_DEVICES) ?? '').split(',') : [target.split('/')[1] ?? ''];
    const all = devices.map(device => status(device, together));
    // Before the body, as a server does that will not have it.
    if (all.includes('refused')) return answer(together ? EACH_BY_ITSELF : 507, request);
    const bytes = (await readAll(request.body, 1024 ** 3))?.length ?? -1;
    asked.push({ method, devices, containers: headers.get('x-container-device'), bytes });
    const own: [string, string][] = method === 'PUT' ? [['etag', 'e']] : [];
    if (!together) return answer(Number(all[0]), request, { headers: [[EACH_HEADER, 'true'], ...own] });
    const answers = all.map(one => [one, method === EACH_METHODS.PUT && one === 201 ? 'e' : '', 'text']);
    return { status: 200, headers: new Map(), body: Buffer.from(JSON.stringify(answers)) };
  };
  proxy.nodes[0]!.intercept = request => (/\/a\/c\/o/.test(request.target) ? handle(request) : null);
  /** The server says of itself that it takes many. */
  const learn = async () => {
    expect((await proxy.ask('PUT', OBJECT, {}, 'x')).status).toBe(201);
    expect(asked.splice(0).map(({ method }) => method)).toEqual(['PUT', 'PUT', 'PUT']);
  };
  return { asked, learn };
}

describe.each([
  ['small', Buffer.from('hello')],
  ['large', LARGE],
])('%s uploads', (_size, body) => {
  it('go once to a server that takes them for many devices', async () => {
    const { asked, learn } = await oneServer(() => 201);
    await learn();
    const put = await proxy.ask('PUT', OBJECT, {}, body);
    expect([put.status, put.headers.get('etag'), put.text]).toEqual([201, 'e', 'text']);
    expect(asked).toEqual([
      {
        method: EACH_METHODS.PUT,
        devices: ['d0', 'd1', 'd2'],
        containers: 'd0,d1,d2',
        bytes: body.length,
      },
    ]);
  });

  it('go to each by itself where the server will not take them together', async () => {
    let hindered = false;
    const { asked, learn } = await oneServer((_, together) => (hindered && together ? 'refused' : 201));
    await learn();
    hindered = true;
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    expect(asked.map(({ method, devices }) => `${method} ${devices}`).sort()).toEqual([
      'PUT d0',
      'PUT d1',
      'PUT d2',
    ]);
  });

  it('take a handoff for a device that refuses', async () => {
    let full = '';
    const { asked, learn } = await oneServer(device => (device === full ? 'refused' : 201));
    await learn();
    full = 'd1';
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    expect(asked.map(({ devices }) => String(devices)).sort()).toEqual(['d0', 'd2', 'd3']);
    asked.length = 0;
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    expect(asked.map(({ devices }) => devices)).toEqual([['d0', 'd2', 'd3']]);
  });

  it('are acknowledged when more than half of the devices have them', async () => {
    const failing = new Set<string>();
    const { learn } = await oneServer(device => (failing.has(device) ? 500 : 201));
    await learn();
    for (const device of ['d1', 'd3', 'd4']) failing.add(device);
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    failing.add('d0');
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(503);
  });

  it('go one by one again to a server that knows no such request any more', async () => {
    const { asked, learn } = await oneServer(() => 201);
    await learn();
    const known = proxy.nodes[0]!.intercept!;
    let refused = 0;
    proxy.nodes[0]!.intercept = request => {
      if (request.method !== EACH_METHODS.PUT) {
        const given = known(request);
        return Promise.resolve(given ?? answer(404, request)).then(response => {
          response.headers.delete(EACH_HEADER);
          return response;
        });
      }
      refused++;
      return answer(405, request);
    };
    for (let i = 0; i < 2; i++) expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    expect([refused, asked.map(({ method }) => method)]).toEqual([1, Array(6).fill('PUT')]);
  });
});

it('a device that failed in the middle of a small upload has a handoff', async () => {
  let failing = '';
  const { asked, learn } = await oneServer(device => (device === failing ? 500 : 201));
  await learn();
  failing = 'd2';
  expect((await proxy.ask('PUT', OBJECT, {}, 'x')).status).toBe(201);
  expect(asked.map(({ devices }) => String(devices))).toEqual(['d0,d1,d2', 'd3']);
});

it('deletions go together, too', async () => {
  const { asked, learn } = await oneServer((_, together) => (together ? 204 : 201));
  await learn();
  expect((await proxy.ask('DELETE', OBJECT)).status).toBe(204);
  expect(asked).toEqual([
    { method: EACH_METHODS.DELETE, devices: ['d0', 'd1', 'd2'], containers: 'd0,d1,d2', bytes: 0 },
  ]);
});

it('a server that is away is left for handoffs elsewhere', async () => {
  const { asked, learn } = await oneServer(() => 201);
  await learn();
  await proxy.nodes[0]!.down();
  expect((await proxy.ask('PUT', OBJECT, {}, 'x')).status).toBe(503);
  expect(asked).toEqual([]);
});
