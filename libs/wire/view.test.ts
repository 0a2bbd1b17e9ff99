import { expect, it } from 'vitest';
import { renderXml } from './nova-xml.ts';
import {
  attribute,
  attributesOf,
  bareDocument,
  child,
  children,
  elementsOf,
  inJson,
  links,
  many,
  manyWrapped,
  metadata,
  one,
  shownAs,
  textElement,
  view,
  writerOf,
} from './view.ts';

interface Book {
  id: number;
  title: string;
  pages?: number;
  owner?: { name: string };
  chapters: { number: number; text: string | null }[];
  notes: Record<string, string>;
}

const chapter = view<[Book['chapters'][number]]>('chapter', {
  ...attributesOf<{ number: number }>('number'),
  ...elementsOf<{ text: string | null }>('text'),
});
const owner = view<[{ name: string }]>('owner', attributesOf<{ name: string }>('name'));
const book = view<[Book, string]>('book', {
  ...attributesOf<Book>('id', 'pages'),
  title: attribute(({ title }) => title, { name: 'bookTitle', print: value => `<${String(value)}>` }),
  secret: attribute(),
  hidden: inJson((_book, place) => place),
  state: textElement(() => undefined, { always: true }),
  owner: child(owner, ({ owner: found }) => found),
  chapters: children(chapter, item => item.chapters),
  notes: shownAs({ children: [{ tag: 'noted', at: 'notes' }] }, ({ notes }) => notes),
  metadata: metadata(({ notes }) => notes),
  links: links((_book, place) => [{ rel: 'self', href: place }]),
});

const one1: Book = {
  id: 1,
  title: 'A',
  pages: 3,
  owner: { name: 'ann' },
  chapters: [
    { number: 1, text: 'x' },
    { number: 2, text: null },
  ],
  notes: { k: 'v' },
};
const bare: Book = { id: 2, title: 'B', chapters: [], notes: {} };

it('makes the document and its XML of one description', () => {
  const shown = one(book, { namespaces: { '': 'urn:books' } });
  const document = shown.json(one1, 'here');
  expect(document).toEqual({
    book: {
      id: 1,
      pages: 3,
      title: 'A',
      hidden: 'here',
      owner: { name: 'ann' },
      chapters: one1.chapters,
      notes: { k: 'v' },
      metadata: { k: 'v' },
      links: [{ rel: 'self', href: 'here' }],
    },
  });
  expect(renderXml(shown.xml, document).split('\n')[1]).toBe(
    '<book xmlns="urn:books" id="1" pages="3" bookTitle="&lt;A&gt;"><state>None</state><owner name="ann"/>' +
      '<chapters><chapter number="1"><text>x</text></chapter><chapter number="2"/></chapters><noted/>' +
      '<metadata><meta key="k">v</meta></metadata><atom:link rel="self" href="here"/></book>',
  );
});

it('says what is in it', () => {
  expect(one(owner).keys).toBe('{ owner: { name } }');
  expect(many(chapter).keys).toBe('{ chapters: [ { number, text } … ] }');
  expect(manyWrapped(owner).keys).toBe('{ owners: [ { owner: { name } } … ] }');
  expect(book.keys).toContain('owner: { name }, chapters: [ { number, text } … ], notes');
});

it('shows several, what an answer adds, and nothing of what is not there', () => {
  const shown = many(book);
  const document = shown.json([bare], 'here');
  expect(document.books).toEqual([
    {
      ...{ id: 2, title: 'B', hidden: 'here', chapters: [], notes: {}, metadata: {} },
      links: [{ rel: 'self', href: 'here' }],
    },
  ]);
  Object.assign((document.books as object[])[0]!, { secret: 's' });
  const xml = renderXml(shown.xml, document);
  expect(xml).toContain(
    '<books><book id="2" bookTitle="&lt;B&gt;" secret="s"><state>None</state><chapters/>',
  );
  expect(xml).not.toContain('owner');
  expect(many(owner, { tag: 'people' }).xml.tag).toBe('people');
});

it('has a list inside only where there is one, and each in an object of its own where that is wanted', () => {
  const shelf = view<[string[] | undefined]>('shelf', {
    owners: children(owner, names => names?.map(name => ({ name })), { ifAny: true }),
  });
  const text = (of: string[] | undefined) => renderXml(one(shelf).xml, one(shelf).json(of)).split('\n')[1];
  expect(text(undefined)).toBe('<shelf/>');
  expect(text([])).toBe('<shelf><owners/></shelf>');
  expect(text(['x'])).toBe('<shelf><owners><owner name="x"/></owners></shelf>');
  const crowd = view<[{ name: string }[]]>('crowd', {
    people: children(owner, people => people, { within: null }),
    guests: children(owner, people => people, { within: 'visitors' }),
  });
  expect(renderXml(one(crowd).xml, one(crowd).json([{ name: 'x' }])).split('\n')[1]).toBe(
    '<crowd><owner name="x"/><visitors><owner name="x"/></visitors></crowd>',
  );
  const wrapped = manyWrapped(owner);
  const document = wrapped.json([{ name: 'x' }, { name: 'y' }]);
  expect(document).toEqual({ owners: [{ owner: { name: 'x' } }, { owner: { name: 'y' } }] });
  expect(renderXml(wrapped.xml, document)).toContain('<owners><owner name="x"/><owner name="y"/></owners>');
});

it('may be the whole document, or parts of one', () => {
  expect(bareDocument(owner).json({ name: 'x' })).toEqual({ name: 'x' });
  expect(renderXml(bareDocument(owner).xml, { name: 'x' })).toContain('<owner name="x"/>');
  const document = { kept: 1 };
  writerOf<[string]>({ added: attribute(text => text), later: attribute() })(document, 'y');
  expect(document).toEqual({ kept: 1, added: 'y' });
});
