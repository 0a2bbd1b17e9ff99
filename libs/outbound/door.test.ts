import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { noteListener } from '@folsom/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressRule, anyAddress, plainAddress } from './addresses.ts';
import { type Door, operatorDoor, type Resolved, userDoor } from './door.ts';

const none = addressRule([], 'external_source_networks');
const loopback = addressRule(['127.0.0.0/8'], 'external_source_networks');

let server: Server;
let port: number;
let asked: string[] = [];
const doors: Door[] = [];
const opened = (door: Door): Door => {
  doors.push(door);
  return door;
};

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`);
    const to = /^\/to\/(.*)$/.exec(request.url ?? '')?.[1];
    if (to) response.writeHead(302, { location: decodeURIComponent(to) }).end('gone');
    else if (request.url === '/endless') {
      response.writeHead(200);
      response.write('x'.repeat(1000));
    } else if (request.url === '/silent') response.socket?.pause();
    else if (request.method === 'PUT') request.pipe(response);
    else response.end('inner secret');
  });
  await new Promise<void>(resolve => server.listen(0, '0.0.0.0', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  asked = [];
  for (const door of doors.splice(0)) await door.close();
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
}, 10_000);

const LOOPBACKS = [
  '127.0.0.1', '127.0.0.2', '127.1', '127.0.1', '127.255.255.254', 'localhost', 'LOCALHOST', 'localhost.', '2130706433',
  '0x7f000001', '0x7f.1', '0X7F.0.0.1', '0177.0.0.1', '0177.1', '017700000001', '0x7f.0x0.0x0.0x1', '127.0.0.1.', '0x7f.0.1',
  '①②⑦.⓪.⓪.①', '127。0。0。1', '１２７.0.0.1', '%31%32%37.0.0.1', '127.0.0.%31', '0.0.0.0', '0', '0x0', '00', '0.0', '0.1.2.3', '[::1]',
  '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::]', '[0::0]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::FFFF:7F00:0001]',
  '[0:0:0:0:0:ffff:7f00:1]', '[::ffff:0:127.0.0.1]', '[::127.0.0.1]', '[::7f00:1]', '[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2002:7f00:0001::1]', '[2001::7f00:1]', '[::ffff:0.0.0.0]', '[fe80::1]', '[fec0::1]',
  '[fc00::1]', '[fd00:ec2::254]',
]; // biome-ignore format: a table
const INNER = [
  '169.254.169.254', '[::ffff:a9fe:a9fe]', '2852039166', '0xa9fea9fe', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1',
  '100.64.0.1', '198.18.0.1', '192.0.0.192', '224.0.0.1', '239.255.255.250', '255.255.255.255', '[ff02::1]',
]; // biome-ignore format: a table

describe('addresses', () => {
  it('refuses every spelling of this machine and of inner networks', async () => {
    const door = opened(userDoor({ addresses: none }));
    for (const host of [...LOOPBACKS, ...INNER]) {
      const target = `http://${host}:${port}/`;
      const outcome = [
        await door.check(target).then(
          () => 'allowed',
          error => error.name,
        ),
        await door.request(target, { method: 'GET' }).then(
          () => 'sent',
          error => error.name,
        ),
      ];
      expect([host, ...outcome]).toEqual([host, 'OutboundRefused', 'OutboundRefused']);
    }
    expect(LOOPBACKS.length).toBeGreaterThanOrEqual(52);
    expect(asked).toEqual([]);
  });

  it('refuses the addresses of its own interfaces', () => {
    for (const own of Object.values(networkInterfaces()).flat()) {
      expect([own!.address, none.allows(own!.address)]).toEqual([own!.address, false]);
    }
  });

  it('allows what is outside, and what an operator opens', () => {
    for (const address of ['8.8.8.8', '203.0.113.5', '2606:4700::1111', '::ffff:8.8.8.8'])
      expect([address, none.allows(address)]).toEqual([address, true]);
    expect(loopback.allows('::ffff:127.0.0.9')).toBe(true);
    expect(loopback.allows('::1')).toBe(false);
    expect(none.allows('no address')).toBe(false);
    expect(plainAddress('0:0:0:0:0:FFFF:7F00:1')).toBe('127.0.0.1');
  });

  it('says which option holds no network', () => {
    for (const network of ['10.0.0.0/33', 'here', '10.0.0.0/8/8', '10.0.0.0/x', '10.0.0.0/'])
      expect(() => addressRule([network], 'external_source_networks')).toThrow(
        `external_source_networks: "${network}" is not a network like 10.0.0.0/8`,
      );
  });
});

describe('names', () => {
  const resolving = (...answers: Resolved[][]) => {
    let at = 0;
    return async () => answers[Math.min(at++, answers.length - 1)]!;
  };
  const inside: Resolved = { address: '127.0.0.1', family: 4 };
  const outside: Resolved = { address: '203.0.113.9', family: 4 };

  it('refuses a name when any of its addresses is an inner one', async () => {
    const door = opened(userDoor({ addresses: none, resolve: resolving([outside, inside]) }));
    await expect(door.check('http://mixed.example/')).rejects.toThrow('not allowed (address)');
    await expect(door.request('http://mixed.example/', { method: 'GET' })).rejects.toThrow('(address)');
  });

  it('does not let a name mean something else once it was checked', async () => {
    const door = opened(userDoor({ addresses: none, resolve: resolving([outside], [inside]) }));
    await door.check(`http://rebinding.example:${port}/`);
    await expect(door.request(`http://rebinding.example:${port}/`, { method: 'GET' })).rejects.toThrow(
      '(address)',
    );
    expect(asked).toEqual([]);
  });

  it('asks once for a request and connects to exactly that answer', async () => {
    let questions = 0;
    const resolve = async () => {
      questions += 1;
      return [questions === 1 ? { address: '127.0.0.3', family: 4 as const } : outside];
    };
    const door = opened(userDoor({ addresses: loopback, resolve }));
    const answer = await door.request(`http://pinned.example:${port}/x`, { method: 'GET' });
    expect(await text(answer.body)).toBe('inner secret');
    expect(questions).toBe(1);
  });

  it('leaves a name that does not resolve for later, and does not wait for a resolver for ever', async () => {
    const lost = async () => {
      throw new Error('ENOTFOUND');
    };
    await opened(userDoor({ addresses: none, resolve: lost })).check('http://nowhere.example/');
    const never = opened(
      userDoor({ addresses: none, resolve: () => new Promise(() => {}), limits: { connectMs: 50 } }),
    );
    await expect(never.request('http://slow.example/', { method: 'GET' })).rejects.toThrow('no answer');
  });
});

describe('what else a target may be', () => {
  it('refuses schemes, ports and texts that are none', async () => {
    const door = opened(userDoor({ addresses: loopback }));
    for (const target of [
      'file:///etc/passwd',
      'gopher://127.0.0.1/',
      'ftp://127.0.0.1/',
      'javascript:1',
      '//127.0.0.1/',
      'http://',
      'x',
      '',
      'http://127.0.0.1:22/',
      'http://127.0.0.1:25/',
      'http://127.0.0.1:6379/',
      'http://127.0.0.1:11211/',
      'http://127.0.0.1:99999/',
    ])
      await expect(door.request(target, { method: 'GET' }), target).rejects.toThrow('not allowed');
    const https = opened(userDoor({ addresses: loopback, schemes: ['https'], ports: [443] }));
    await expect(https.check('http://127.0.0.1/')).rejects.toThrow('(scheme)');
    await expect(https.check('https://127.0.0.1:444/')).rejects.toThrow('(port)');
    const realm = opened(userDoor({ addresses: loopback, hosts: ['127.0.0.1'] }));
    await expect(realm.check('http://127.0.0.2/')).rejects.toThrow('(address)');
  });

  it('never leads to what this process listens on, whatever is open', async () => {
    const own = createServer((_request, response) => response.end('own'));
    await new Promise<void>(resolve => own.listen(0, '127.0.0.1', resolve));
    const at = (own.address() as AddressInfo).port;
    const door = opened(userDoor({ addresses: addressRule(['0.0.0.0/0', '::/0'], 'networks') }));
    expect(await text((await door.request(`http://127.0.0.1:${at}/`, { method: 'GET' })).body)).toBe('own');
    noteListener(own);
    for (const host of ['127.0.0.1', '127.0.0.5', 'localhost', '[::ffff:127.0.0.1]', '0.0.0.0'])
      await expect(door.request(`http://${host}:${at}/`, { method: 'GET' }), host).rejects.toThrow(
        '(listener)',
      );
    const meant = opened(userDoor({ addresses: anyAddress, hosts: ['127.0.0.5', `127.0.0.1:${at}`] }));
    await meant.check(`http://127.0.0.1:${at}/`);
    await expect(meant.check(`http://127.0.0.5:${at}/`)).rejects.toThrow('(listener)');
    await expect(meant.check(`http://127.0.0.1:${at + 1}/`)).rejects.toThrow('(address)');
    await new Promise(resolve => own.close(resolve));
    await expect(door.check(`http://127.0.0.1:${at}/`)).resolves.toBeUndefined();
  });

  it('refuses the nodes of a ring', async () => {
    const door = opened(userDoor({ addresses: loopback, refused: () => [{ ip: '127.0.0.1', port }] }));
    await expect(door.check(`http://127.0.0.9:${port}/`)).rejects.toThrow('(listener)');
  });
});

describe('redirects', () => {
  const to = (target: string) => `http://127.0.0.1:${port}/to/${encodeURIComponent(target)}`;
  // 127.0.0.1 is opened here and stands for the outside; 127.0.0.2 is not.
  const addresses = addressRule(['127.0.0.1/32'], 'networks');

  it('looks at every hop, and keeps credentials from another origin', async () => {
    const door = opened(userDoor({ addresses }));
    const followed = await door.request(to(`http://127.0.0.1:${port}/x`), { method: 'GET', redirects: 5 });
    expect(await text(followed.body)).toBe('inner secret');
    for (const target of [
      `http://127.0.0.2:${port}/x`,
      'file:///etc/passwd',
      `http://[::1]:${port}/`,
      'http://127.0.0.1:22/',
    ])
      await expect(door.request(to(target), { method: 'GET', redirects: 5 }), target).rejects.toThrow(
        'not allowed',
      );
    expect(asked.filter(line => line.includes('/x'))).toEqual(['GET /x -']);

    const both = opened(userDoor({ addresses: loopback }));
    asked = [];
    const headers = { authorization: 'mine' };
    const other = await both.request(to(`http://127.0.0.2:${port}/y`), {
      method: 'GET',
      redirects: 1,
      headers,
    });
    await text(other.body);
    expect(asked.at(-1)).toBe('GET /y -');
  });

  it('follows as many as are asked for, none for a request that changes something', async () => {
    const door = opened(userDoor({ addresses }));
    const twice = to(to(`http://127.0.0.1:${port}/x`));
    await expect(door.request(twice, { method: 'GET', redirects: 1 })).rejects.toThrow('(redirects)');
    for (const [method, redirects] of [
      ['GET', 0],
      ['PUT', 5],
    ] as const) {
      const answer = await door.request(twice, { method, redirects });
      expect(answer.status).toBe(302);
      answer.body.resume();
    }
  });
});

describe('bodies and limits', () => {
  it('streams both ways and takes credentials of the URL', async () => {
    const door = opened(userDoor({ addresses: loopback }));
    const body = Readable.from([Buffer.from('one '), Buffer.from('two')]);
    const answer = await door.request(`http://me:pass%20word@127.0.0.1:${port}/put`, { method: 'PUT', body });
    expect(await text(answer.body)).toBe('one two');
    expect(asked).toEqual([`PUT /put Basic ${Buffer.from('me:pass word').toString('base64')}`]);
  });

  it('ends an answer that is too long, too slow, or silent', async () => {
    const limits = { answerMs: 100, idleMs: 100, bytesMax: 100 };
    const door = opened(userDoor({ addresses: loopback, limits }));
    await expect(door.request(`http://127.0.0.1:${port}/silent`, { method: 'GET' })).rejects.toThrow(
      'no answer',
    );
    const long = await door.request(`http://127.0.0.1:${port}/endless`, { method: 'GET' });
    await expect(text(long.body)).rejects.toThrow(/size/i);
    const total = opened(operatorDoor({ limits: { totalMs: 100 } }));
    const slow = await total.request(`http://127.0.0.1:${port}/endless`, { method: 'GET' });
    await expect(text(slow.body)).rejects.toThrow();
  });

  it('tells a source that failed from a target that did', async () => {
    const door = opened(userDoor({ addresses: loopback }));
    const gone = async function* () {
      yield Buffer.from('half');
      throw new Error('the source broke');
    };
    const put = (at: number) => door.request(`http://127.0.0.1:${at}/put`, { method: 'PUT', body: gone() });
    const sent = put(port).then(answer => text(answer.body));
    await expect(sent).rejects.toThrow('the source broke');
    const closed = createServer();
    await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve));
    const at = (closed.address() as AddressInfo).port;
    await new Promise(resolve => closed.close(resolve));
    await expect(put(at)).rejects.toThrow('gave no answer');
  });

  it('passes an abort on', async () => {
    const door = opened(userDoor({ addresses: loopback }));
    const reason = new Error('the image was deleted');
    const aborted = door.request(`http://127.0.0.1:${port}/silent`, {
      method: 'GET',
      signal: AbortSignal.abort(reason),
    });
    await expect(aborted).rejects.toBe(reason);
  });
});
