import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, seededRandom } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeCloud, fakeCloud, USER } from './fake-cloud.ts';
import { consoleWebOptions, startConsoleWeb } from './index.ts';

let cloud: FakeCloud;
let web: RunningService;
let base: string;
let lines: string[];
let clock: ReturnType<typeof fakeClock>;

beforeEach(async () => {
  cloud = await fakeCloud();
  lines = [];
  clock = fakeClock();
  web = await start();
  base = `http://${web.addresses[0]}`;
});
afterEach(async () => {
  await web.stop();
  await cloud.stop();
});

const start = (values: Record<string, unknown> = {}) =>
  startConsoleWeb({
    config: configFrom([consoleWebOptions], {
      DEFAULT: { auth_url: cloud.url, bind_port: 0, ...values } as never,
    }),
    world: {
      clock,
      random: seededRandom(1),
      log: createLogger({ level: 'debug', write: line => lines.push(line) }),
    },
  });

interface Person {
  cookie: string;
  csrf: string;
}

const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
  fetch(base + path, { method, headers, ...(body === undefined ? {} : { body }), redirect: 'manual' });

const login = (password = USER.password, headers: Record<string, string> = {}) =>
  ask(
    'POST',
    '/api/session',
    { 'content-type': 'application/json', ...headers },
    JSON.stringify({ username: USER.name, password }),
  );

async function person(): Promise<Person> {
  const answer = await login();
  expect(answer.status).toBe(200);
  const { csrf } = (await answer.json()) as { csrf: string };
  return { cookie: answer.headers.get('set-cookie')!.split(';')[0]!, csrf };
}

const as = ({ cookie, csrf }: Person) => ({ cookie, 'x-csrf-token': csrf });

describe('a login', () => {
  it('gives a cookie that no script reads and no other site sends, and keeps the token', async () => {
    const answer = await login();
    const cookie = answer.headers.get('set-cookie')!;
    expect(cookie).toMatch(/^folsom-console-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    const text = await answer.text();
    for (const token of cloud.tokens.keys()) expect(text + cookie + lines.join()).not.toContain(token);
    expect(lines.join()).not.toContain(USER.password);
    expect(JSON.parse(text)).toMatchObject({
      user: { name: 'ann' },
      project: { id: 'p1' },
      projects: [{ name: 'one' }, { name: 'two' }],
      admin: false,
    });
  });

  it('never takes an id that was there before, and logging out ends it', async () => {
    const planted = 'A'.repeat(43);
    const name = (await login()).headers.get('set-cookie')!.split('=')[0]!;
    const answer = await login(USER.password, { cookie: `${name}=${planted}` });
    expect(answer.headers.get('set-cookie')).not.toContain(planted);
    const me = await person();
    expect((await ask('DELETE', '/api/session', as(me))).headers.get('set-cookie')).toMatch(/Max-Age=0/);
    expect((await ask('GET', '/api/cloud/compute/servers', { cookie: me.cookie })).status).toBe(401);
    expect(await (await ask('GET', '/api/session', { cookie: me.cookie })).json()).toEqual({ user: null });
  });

  it('is refused in one way for a wrong name and a wrong password, and not without end', async () => {
    const wrong = await login('wrong');
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get('set-cookie')).toBeNull();
    expect(((await wrong.json()) as { error: { name: string } }).error.name).toBe('WrongCredentials');
    for (let n = 0; n < 9; n++) await login('wrong');
    const last = await login();
    expect(last.status).toBe(429);
    expect(last.headers.get('retry-after')).toBe('60');
    await clock.advance(61_000);
    expect((await login()).status).toBe(200);
  });

  it('is counted before it is known: neither many at once nor a login of one’s own between two get past', async () => {
    const guesses = await Promise.all(Array.from({ length: 40 }, () => login('wrong')));
    const statuses = guesses.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(10).fill(401), ...Array(30).fill(429)]);
    await clock.advance(61_000);
    for (let n = 0; n < 5; n++) {
      expect((await login()).status).toBe(200);
      for (let guess = 0; guess < 2; guess++) expect((await login('wrong')).status).toBe(401);
    }
    expect((await login()).status).toBe(429);
  });

  it('ends when nobody uses it, whatever the page asks by itself', async () => {
    const me = await person();
    for (let minutes = 0; minutes < 60; minutes += 20) {
      const answer = await ask('GET', '/api/cloud/compute/servers', {
        cookie: me.cookie,
        'x-background': '1',
      });
      expect(answer.status).toBe(200);
      await clock.advance(20 * 60_000);
    }
    await clock.advance(1_000);
    expect((await ask('GET', '/api/cloud/compute/servers', { cookie: me.cookie })).status).toBe(401);
  });

  it('says so when keystone is away', async () => {
    await cloud.stop();
    const answer = await login();
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain('"Unreachable"');
  });

  it.each(['', '{', 'null', '[]', '{"username":1,"password":2}', '{"username":"a"}'])(
    'answers 400 to %s',
    async body => {
      const answer = await ask('POST', '/api/session', { 'content-type': 'application/json' }, body);
      expect(answer.status).toBe(400);
    },
  );
});

describe('a request of another site', () => {
  it.each([
    { origin: 'http://evil.example.org' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('changes nothing: %o', async headers => {
    const me = await person();
    expect((await login(USER.password, headers as never)).status).toBe(403);
    const before = cloud.asked.length;
    const answer = await ask(
      'POST',
      '/api/cloud/compute/servers',
      { ...as(me), ...(headers as never as object) },
      '{}',
    );
    expect(answer.status).toBe(403);
    expect(cloud.asked.length).toBe(before);
  });

  it('has not the token of our page', async () => {
    const me = await person();
    const other = await person();
    for (const csrf of [undefined, '', 'x', other.csrf]) {
      const headers = { cookie: me.cookie, ...(csrf === undefined ? {} : { 'x-csrf-token': csrf }) };
      for (const [method, path] of [
        ['POST', '/api/cloud/compute/servers'],
        ['PUT', '/api/session/project'],
        ['DELETE', '/api/session'],
        ['POST', '/api/temp-urls'],
      ] as const)
        expect((await ask(method, path, headers, '{}')).status, `${method} ${path} ${csrf}`).toBe(403);
    }
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await ask('POST', '/api/session', form, 'username=ann&password=right')).status).toBe(400);
  });
});

describe('a request to a service', () => {
  it('carries the token, the body and what the service reads, and nothing else', async () => {
    const me = await person();
    cloud.answer((asked, response) => {
      response.writeHead(202, {
        'content-type': 'application/json',
        'x-compute-request-id': 'req-1',
        'set-cookie': 'stolen=1',
        'x-subject-token': 'secret',
      });
      response.end(JSON.stringify({ got: asked.body }));
    });
    const answer = await ask(
      'POST',
      '/api/cloud/compute/servers?limit=1',
      { ...as(me), 'content-type': 'application/json', 'x-forwarded-for': '1.2.3.4', 'x-auth-token': 'mine' },
      '{"a":"ü"}',
    );
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({ got: '{"a":"ü"}' });
    expect(answer.headers.get('x-compute-request-id')).toBe('req-1');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(answer.headers.get('x-subject-token')).toBeNull();
    const { url, headers } = cloud.asked.at(-1)!;
    expect(url).toBe('/compute/v2/p1/servers?limit=1');
    expect(cloud.tokens.get(String(headers['x-auth-token']))).toBe('p1');
    expect(headers.cookie ?? headers['x-csrf-token'] ?? headers['x-forwarded-for']).toBeUndefined();
  });

  it('does not leave the address of the service', async () => {
    const me = await person();
    const before = cloud.asked.length;
    const { request } = await import('node:http');
    for (const path of [
      'compute/../../../etc',
      'compute/servers/%2e%2e/x',
      'compute/.',
      'nothing/x',
      'toString/x',
    ]) {
      const status = await new Promise(resolve =>
        request(`${base}/`, { path: `/api/cloud/${path}`, headers: { cookie: me.cookie } }, answer => {
          answer.resume();
          resolve(answer.statusCode);
        }).end(),
      );
      expect([400, 404], path).toContain(status);
    }
    expect(cloud.asked.length).toBe(before);
  });

  it('brings bytes that no browser runs', async () => {
    const me = await person();
    cloud.answer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<script>alert(1)</script>');
    });
    for (const path of ['object-store/c/evil.html', 'image/v1/images/x', 'compute/x']) {
      const answer = await ask('GET', `/api/cloud/${path}`, { cookie: me.cookie });
      expect(answer.headers.get('content-type')).not.toContain('html');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
      expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename/);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
    const named = await ask(
      'GET',
      `/api/cloud/object-store/c/x?saveas=${encodeURIComponent('ä"\r\n;.txt')}`,
      { cookie: me.cookie },
    );
    expect(named.headers.get('content-disposition')).toBe(
      "attachment; filename*=UTF-8''%C3%A4%22%0D%0A%3B.txt",
    );
  });

  it('ends the login when its token is no longer good', async () => {
    const me = await person();
    cloud.tokens.clear();
    expect((await ask('GET', '/api/cloud/compute/servers', { cookie: me.cookie })).status).toBe(401);
    expect(await (await ask('GET', '/api/session', { cookie: me.cookie })).json()).toEqual({ user: null });
  });

  it('is answered whole when it ends the login', async () => {
    const text = JSON.stringify({ error: { message: 'x'.repeat(300_000) } });
    cloud.answer((_, response) => {
      response.writeHead(401, { 'content-type': 'application/json', 'content-length': text.length });
      response.write(text.slice(0, 10));
      setImmediate(() => response.end(text.slice(10)));
    });
    const me = await person();
    const answer = await ask('GET', '/api/cloud/compute/servers', { cookie: me.cookie });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toBe(text);
    expect(await (await ask('GET', '/api/session', { cookie: me.cookie })).json()).toEqual({ user: null });
  });

  it('goes to another project only for its members', async () => {
    const me = await person();
    const enter = (id: string) =>
      ask(
        'PUT',
        '/api/session/project',
        { ...as(me), 'content-type': 'application/json' },
        JSON.stringify({ id }),
      );
    expect((await enter('p2')).status).toBe(200);
    await ask('GET', '/api/cloud/compute/servers', { cookie: me.cookie });
    expect(cloud.asked.at(-1)!.url).toBe('/compute/v2/p2/servers');
    for (const id of ['p3', 'other', '']) expect((await enter(id)).status).toBe(403);
  });
});

describe('a temporary URL', () => {
  it('is signed with a key that the page never sees', async () => {
    const me = await person();
    let key = '';
    cloud.answer((asked, response) => {
      const given = asked.headers['x-account-meta-temp-url-key'];
      if (asked.method === 'POST') key = String(given);
      response.writeHead(
        204,
        key ? { 'x-account-meta-temp-url-key': key, 'x-account-object-count': '1' } : {},
      );
      response.end();
    });
    const sign = () =>
      ask(
        'POST',
        '/api/temp-urls',
        { ...as(me), 'content-type': 'application/json' },
        JSON.stringify({ container: 'c', object: 'a b/ü', method: 'GET', hours: '1' }),
      );
    const first = (await (await sign()).json()) as { url: string; expires: number };
    const second = (await (await sign()).json()) as { url: string };
    expect(second.url).toBe(first.url);
    const url = new URL(first.url);
    expect(url.pathname).toBe('/object/v1/AUTH_1/c/a%20b/%C3%BC');
    const signed = `GET\n${first.expires}\n/object/v1/AUTH_1/c/a b/ü`;
    expect(url.searchParams.get('temp_url_sig')).toBe(createHmac('sha1', key).update(signed).digest('hex'));
    expect(key).toMatch(/^[\w-]{32}$/);
    const account = await ask('HEAD', '/api/cloud/object-store/', { cookie: me.cookie });
    expect(account.headers.get('x-account-object-count')).toBe('1');
    expect(account.headers.get('x-account-meta-temp-url-key')).toBeNull();
  });

  it.each([
    ['c', '\ud800'],
    ['\udfff', 'o'],
    ['..', 'AUTH_2/c/o'],
    ['c', 'a/../o'],
    ['c', '.'],
    ['', 'o'],
  ])('is for a name that an address can carry: not %j/%j', async (container, object) => {
    const me = await person();
    const answer = await ask(
      'POST',
      '/api/temp-urls',
      { ...as(me), 'content-type': 'application/json' },
      JSON.stringify({ container, object, method: 'GET', hours: '1' }),
    );
    expect(answer.status).toBe(400);
  });
});

describe('a screen', () => {
  const upgrade = (path: string, headers: Record<string, string> = {}) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(base).port), allowHalfOpen: true });
    const lines = { host: new URL(base).host, connection: 'Upgrade', upgrade: 'websocket', ...headers };
    socket.on('error', () => {});
    let text = '';
    socket.on('data', data => {
      text += data;
    });
    socket.write(
      `GET ${path} HTTP/1.1\r\n${Object.entries(lines)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    );
    return { socket, text: () => text };
  };

  it('that is refused holds no connection, although the other side keeps it', async () => {
    const me = await person();
    for (const { socket, text } of [upgrade('/nowhere'), upgrade('/api/screen/x', { cookie: me.cookie })]) {
      await expect.poll(text).toMatch(/^HTTP\/1\.1 40[34] /);
      // This side ends nothing; whether there is another one is told to who goes on writing.
      await expect.poll(() => socket.destroyed || !socket.write('more'), { timeout: 10_000 }).toBe(true);
    }
  });
});

describe('the page', () => {
  it('runs nothing but its own scripts and stands in no frame', async () => {
    const page = await ask('GET', '/instances/anything');
    expect(page.status).toBe(200);
    const csp = page.headers.get('content-security-policy')!;
    expect(csp).toContain("default-src 'none'");
    expect(csp).toContain("script-src 'self'");
    expect(csp).toContain("frame-ancestors 'none'");
    expect(csp).not.toMatch(/unsafe|\*|https?:/);
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]* src=)|<style|style=|onclick/i);
    expect(html).not.toMatch(/(?:src|href)="(?!\/static\/)/);
  });

  it('goes nowhere else, and serves no file that is not its own', async () => {
    for (const path of ['/login?next=//evil.example.org', '//evil.example.org/', '/login/..%2f..%2fx']) {
      const answer = await ask('GET', path);
      expect(answer.headers.get('location')).toBeNull();
    }
    const html = await (await ask('GET', '/')).text();
    const version = /\/static\/(\w+)\//.exec(html)![1];
    for (const path of ['../package.json', '%2e%2e/package.json', 'main.ts', 'texts/fr.json', ''])
      expect([401, 404], path).toContain((await ask('GET', `/static/${version}/${path}`)).status);
  });

  it('is small: everything that the first page loads', async () => {
    const html = await (await ask('GET', '/')).text();
    const paths = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path]) => path!);
    paths.push(
      paths[0]!.replace(/icon\.svg/, 'texts/zh.json'),
      paths[0]!.replace(/icon\.svg/, 'pages/overview/overview.js'),
    );
    let plain = 0;
    for (const path of new Set(paths)) {
      const answer = await ask('GET', path);
      expect(answer.status, path).toBe(200);
      expect(answer.headers.get('cache-control')).toContain('immutable');
      plain += (await answer.arrayBuffer()).byteLength;
    }
    expect(plain).toBeLessThan(150_000);
  });
});

it('speaks TLS with a cookie that only TLS carries', async () => {
  const { cookieName, sessionCookie } = await import('./sessions.ts');
  expect(sessionCookie(cookieName(true, 443), 'x', true)).toBe(
    '__Host-folsom-console-443=x; Path=/; HttpOnly; SameSite=Strict; Secure',
  );
});
