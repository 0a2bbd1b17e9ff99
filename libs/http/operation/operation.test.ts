import { Fault, silentLogger, systemClock, systemRandom, type World } from '@folsom/core';
import Type from 'typebox';
import { afterEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../app.ts';
import {
  answer,
  type Front,
  integer,
  mountOperations,
  type Operation,
  operationFor,
  operationsOf,
  ownText,
  stream,
  text,
  withAttributes,
} from './index.ts';

// A small service: books in shelves, in JSON and XML, with words of its own.

interface Shelf {
  books: Map<string, string>;
}
interface Caller {
  name: string;
}

const operation = operationFor<Shelf, Caller>();

const bookShape = Type.Object({
  name: text(20, {
    minLength: 1,
    says: { required: 'A book needs a name.', maxLength: 'The name is too long.', else: 'A name is text.' },
  }),
  pages: Type.Optional(integer({ minimum: 1, says: 'pages is a number from 1 on' })),
  'EXT:signed': Type.Optional(Type.String()),
  notes: Type.Optional(Type.Record(Type.String(), Type.String())),
  cover: Type.Optional(
    Type.Union([Type.Null(), Type.Object({ colour: text(9) })], { says: 'a cover or none' }),
  ),
  chapters: Type.Optional(Type.Array(Type.Object({ title: text(50) }))),
});

const operations: Operation<Shelf, Caller>[] = [
  operation({
    name: 'list_books',
    method: 'GET',
    path: '/books',
    policy: null,
    query: Type.Object({ limit: Type.Optional(integer({ minimum: 0, says: 'limit is a number' })) }),
    answers: 200,
    run: ({ domain, query }) => ({ books: [...domain.books.keys()].slice(0, query.limit) }),
  }),
  operation({
    name: 'add_book',
    method: 'POST',
    path: '/books',
    policy: 'librarian',
    body: Type.Object({ book: bookShape }, { additionalProperties: false }),
    answers: 201,
    faults: { BookExists: [409, ownText] },
    run: ({ domain, body: { book } }) => {
      if (domain.books.has(book.name)) throw new Fault('BookExists', 500, `There is ${book.name} already.`);
      domain.books.set(book.name, JSON.stringify(book));
      const pages: number | undefined = book.pages;
      return { book: { ...book, pages } };
    },
  }),
  operation({
    name: 'show_book',
    method: 'GET',
    path: '/books/:name',
    policy: null,
    answers: 200,
    faults: { BookNotFound: 404 },
    run: ({ domain, params }) => {
      const book = domain.books.get(params.name);
      if (book === undefined) throw new Fault('BookNotFound', 500, 'inner text');
      return answer({ bytes: book, type: 'application/json', headers: { etag: '1' } });
    },
  }),
  operation({
    name: 'lend_book',
    method: 'POST',
    path: '/books/:name/action',
    key: 'lend',
    policy: null,
    body: Type.Object({ to: text(10, { says: 'to whom?' }) }),
    answers: 202,
    run: ({ params, body, context }) => ({ lent: `${params.name} by ${context.name} to ${body.to}` }),
  }),
  operation({
    name: 'burn_book',
    method: 'POST',
    path: '/books/:name/action',
    key: 'burn',
    policy: 'librarian',
    answers: 204,
    run: () => undefined,
  }),
  operation({
    name: 'put_content',
    method: 'PUT',
    path: '/books/:name/content',
    policy: null,
    body: stream(),
    answers: 200,
    run: async ({ body }) => {
      let size = 0;
      for await (const chunk of body ?? []) size += (chunk as Buffer).length;
      return { size };
    },
  }),
  operation({
    name: 'about',
    method: 'GET',
    path: '/about',
    policy: null,
    public: true,
    answers: 200,
    run: () => ({ about: 'books' }),
  }),
  operation({
    name: 'admin_only',
    method: 'GET',
    path: '/stats',
    ports: ['admin'],
    policy: null,
    answers: 200,
    run: () => ({}),
  }),
];

const fault = (name: string, status: number, message: string) => new Fault(name, status, message);
const front: Front<Shelf, Caller> = {
  domain: { books: new Map() },
  prefixes: ['/v1', '/v2'],
  port: 'public',
  spellings: path => (path.endsWith('books') ? [path, `${path}.json`] : [path]),
  context: request => ({ name: String(request.headers['x-name'] ?? 'nobody') }),
  notation: type => {
    if (type === 'application/json') return 'json';
    if (type === 'application/xml') return 'xml';
    throw fault('Unsupported', 415, `no ${type}`);
  },
  authorize: ({ context }, { policy }) => {
    if (policy === 'librarian' && context.name !== 'admin') throw fault('Forbidden', 403, 'librarians only');
  },
  write: (reply, { status, document, bytes, type, headers }) => {
    reply.code(status);
    for (const [name, value] of Object.entries(headers ?? {})) reply.header(name, value);
    if (document === undefined && bytes === undefined) return reply.send();
    return reply.header('content-type', type ?? 'application/json').send(bytes ?? JSON.stringify(document));
  },
  complaints: {
    malformed: notation => fault('Malformed', 400, `bad ${notation}`),
    noBody: () => fault('NoBody', 400, 'say something'),
    invalid: ({ place, path, keyword, text: said }) =>
      fault('Invalid', 400, said ?? `${place} ${path.join('.')}: ${keyword}`),
    noAction: key => fault('NoAction', 400, `no action ${key}`),
    method: allowed => new Fault('Method', 405, 'not so', { headers: { allow: allowed.join(', ') } }),
    fault: (status, said) => fault('Service', status, said ?? `standard ${status}`),
  },
};

const world: World = { clock: systemClock, random: systemRandom, log: silentLogger };
const apps: App[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map(app => app.stop()));
});

async function start(list: readonly Operation<Shelf, Caller>[] = operations) {
  const app = createApp({
    name: 'books',
    world,
    bodyLimit: 1000,
    authenticate: async request => {
      if (request.headers['x-name'] === undefined) throw fault('Unauthorized', 401, 'who?');
    },
    renderFault: ({ status, message, headers }) => ({ status, headers, body: message }),
  });
  apps.push(app);
  const seen: string[] = [];
  app.server.addHook('onResponse', async request => {
    seen.push(request.operation ?? 'none');
  });
  mountOperations(app, list, { ...front, domain: { books: new Map() } });
  const base = `http://${await app.listen({ host: '127.0.0.1', port: 0 })}`;
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const raw =
      body === undefined || typeof body === 'string' ? (body as string | undefined) : JSON.stringify(body);
    const response = await fetch(base + path, {
      method,
      ...(raw === undefined ? {} : { body: raw }),
      headers: {
        'x-name': 'admin',
        ...(raw === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    return [response.status, await response.text(), response] as const;
  };
  return { app, call, seen, base };
}

describe('an operation', () => {
  it('is served under every prefix and spelling, on its ports, with its name in logs and metrics', async () => {
    const { call, seen, base } = await start();
    for (const path of ['/v1/books', '/v2/books', '/v2/books.json'])
      expect((await call('GET', path))[0]).toBe(200);
    expect((await call('GET', '/v1/stats'))[0]).toBe(404);
    expect((await fetch(`${base}/v1/about`)).status).toBe(200);
    expect((await fetch(`${base}/v1/books`)).status).toBe(401);
    expect(seen).toEqual(['list_books', 'list_books', 'list_books', 'none', 'about', 'none']);
  });

  it('gets typed values, and its faults have their declared status and text', async () => {
    const { call } = await start();
    const [status, body] = await call('POST', '/v1/books', { book: { name: 'A', pages: ' 12 ', more: 1 } });
    expect([status, JSON.parse(body)]).toEqual([201, { book: { name: 'A', pages: 12, more: 1 } }]);
    expect((await call('POST', '/v1/books', { book: { name: 'A' } })).slice(0, 2)).toEqual([
      409,
      'There is A already.',
    ]);
    expect((await call('GET', '/v1/books/none')).slice(0, 2)).toEqual([404, 'standard 404']);
    const shown = await call('GET', '/v1/books/A');
    expect(shown[2].headers.get('etag')).toBe('1');
    await call('POST', '/v1/books', { book: { name: 'B' } });
    expect(JSON.parse((await call('GET', '/v1/books?limit=2&limit=1'))[1])).toEqual({ books: ['A'] });
  });

  it("complains in the service's words about the first thing that is wrong, and asks for rights before", async () => {
    const { call } = await start();
    for (const [body, said] of [
      [{}, 'body book: required'],
      [{ book: [] }, 'body book: type'],
      [{ book: { pages: 0 } }, 'A book needs a name.'],
      [{ book: { name: 5, pages: 0 } }, 'A name is text.'],
      [{ book: { name: 'x'.repeat(21), pages: 'many' } }, 'The name is too long.'],
      [{ book: { name: 'x', pages: 'many' } }, 'pages is a number from 1 on'],
      [{ book: { name: 'x', pages: '0' } }, 'pages is a number from 1 on'],
      [{ book: { name: 'x', chapters: [{ title: 'a' }, {}] } }, 'body book.chapters.1.title: required'],
      [{ book: { name: 'x', notes: { a: 5 } } }, 'body book.notes.a: type'],
      [{ book: { name: 'x', cover: 5 } }, 'a cover or none'],
      [{ book: { name: 'x', cover: {} } }, 'body book.cover.colour: required'],
      [{ book: { name: 'x', cover: { colour: 5 } } }, 'body book.cover.colour: type'],
      [{ book: { name: 'x' }, other: 1 }, 'body other: additionalProperties'],
    ] as const) {
      expect((await call('POST', '/v1/books', body)).slice(0, 2)).toEqual([400, said]);
      expect((await call('POST', '/v1/books', body, { 'x-name': 'reader' }))[0]).toBe(403);
    }
    expect((await call('POST', '/v1/books')).slice(0, 2)).toEqual([400, 'say something']);
    expect((await call('POST', '/v1/books', '{')).slice(0, 2)).toEqual([400, 'bad json']);
    expect(
      (await call('POST', '/v1/books', '<a>', { 'content-type': 'application/xml' })).slice(0, 2),
    ).toEqual([400, 'bad xml']);
    expect((await call('POST', '/v1/books', 'x', { 'content-type': 'x/y' }))[0]).toBe(415);
    expect((await call('POST', '/v1/books', 'x'.repeat(1001)))[0]).toBe(413);
    expect((await call('GET', '/v1/books?limit=x')).slice(0, 2)).toEqual([400, 'limit is a number']);
    const other = await call('DELETE', '/v1/books');
    expect([other[0], other[2].headers.get('allow')]).toEqual([405, 'GET, POST']);
  });

  it('is found by the key of its body', async () => {
    const { call, seen } = await start();
    expect((await call('POST', '/v1/books/A/action', { lend: { to: 'me' } })).slice(0, 2)).toEqual([
      202,
      '{"lent":"A by admin to me"}',
    ]);
    expect((await call('POST', '/v1/books/A/action', { burn: null }))[0]).toBe(204);
    expect((await call('POST', '/v1/books/A/action', { burn: null }, { 'x-name': 'me' }))[0]).toBe(403);
    const xml = { 'content-type': 'application/xml' };
    expect((await call('POST', '/v1/books/A/action', '<lend to="you"/>', xml))[1]).toContain('to you');
    expect(seen).toEqual(['lend_book', 'burn_book', 'burn_book', 'lend_book']);
    for (const [body, said] of [
      [{ lend: {} }, 'to whom?'],
      [{ eat: 1 }, 'no action eat'],
      [{ lend: {}, burn: {} }, 'bad json'],
      [[], 'bad json'],
      [undefined, 'no action undefined'],
    ] as const) {
      expect((await call('POST', '/v1/books/A/action', body)).slice(0, 2)).toEqual([400, said]);
    }
  });

  it('reads XML by the shape of the JSON, prefixed keys included', async () => {
    const { call } = await start();
    const xml = { 'content-type': 'application/xml' };
    const document =
      '<book xmlns="urn:books" xmlns:e="urn:ext" name="A" pages="3" e:signed="yes"><notes><note key="a">b</note></notes>' +
      '<chapters><chapter title="one"/><chapter><title>two</title></chapter></chapters></book>';
    const [status, body] = await call('POST', '/v1/books', document, xml);
    expect([status, JSON.parse(body)]).toEqual([
      201,
      {
        book: {
          name: 'A',
          pages: 3,
          'EXT:signed': 'yes',
          notes: { a: 'b' },
          chapters: [{ title: 'one' }, { title: 'two' }],
        },
      },
    ]);
    const prefixed = '<book xmlns:EXT="urn:ext" name="B" EXT:signed="no"/>';
    expect(JSON.parse((await call('POST', '/v1/books', prefixed, xml))[1]).book['EXT:signed']).toBe('no');
  });

  it('may take its body as a stream', async () => {
    const { call } = await start();
    expect((await call('PUT', '/v1/books/A/content', 'x'.repeat(100_000)))[1]).toBe('{"size":100000}');
    expect((await call('PUT', '/v1/books/A/content'))[1]).toBe('{"size":0}');
  });

  it('takes attributes of an extension into its body', async () => {
    const shape = withAttributes(operations[1]!.body!, ['book'], {
      colour: Type.Optional(text(5, { says: 'what colour?' })),
    });
    const { call } = await start([{ ...operations[1]!, body: shape }]);
    expect(
      (await call('POST', '/v1/books', { book: { name: 'A', colour: 'green-ish' } })).slice(0, 2),
    ).toEqual([400, 'what colour?']);
    expect((await call('POST', '/v1/books', { book: { name: 'A', colour: 'green' } }))[0]).toBe(201);
    expect((await call('POST', '/v1/books', { book: {}, x: 1 }))[1]).toBe('A book needs a name.');
  });

  it('stands in the registry, without what it does', async () => {
    const { app } = await start();
    const list = operationsOf(app);
    expect(list.map(item => item.name)).toEqual(operations.slice(0, -1).map(item => item.name));
    expect(list[1]).toMatchObject({ method: 'POST', url: '/v1/books', policy: 'librarian', answers: 201 });
    expect(list[1]).not.toHaveProperty('run');
  });

  it('is declared once', () => {
    const app = createApp({
      name: 'twice',
      world,
      authenticate: null,
      renderFault: ({ status }) => ({ status, headers: {}, body: '' }),
    });
    expect(() => mountOperations(app, [operations[0]!, operations[0]!], front)).toThrow(
      /list_books and list_books/,
    );
    expect(() => mountOperations(app, [operations[3]!, operations[3]!], front)).toThrow(/key lend/);
  });
});
