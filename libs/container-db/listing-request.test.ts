import { expect, it } from 'vitest';
import { listingTime, objectsAsJson, objectsAsXml, xmlAttribute } from './listing-format.ts';
import { listingType, readListingQuery } from './listing-request.ts';

const request = (accept?: string) => ({
  method: 'GET',
  headers: new Map(accept === undefined ? [] : [['accept', accept]]),
});

it.each([
  [undefined, '', 'text/plain'],
  ['application/json', '', 'application/json'],
  ['application/xml', '', 'application/xml'],
  ['text/xml', '', 'text/xml'],
  ['*/*', '', 'text/plain'],
  ['text/html', '', 'text/plain'],
  ['application/json;q=0.2, text/plain', '', 'text/plain'],
  ['application/*', '', 'application/json'],
  ['a/b/c', '', 'text/plain'],
  ['text/plain', 'format=json', 'application/json'],
  ['application/json', 'format=bogus', 'text/plain'],
])('Accept %s with %s means %s', (accept, query, type) => {
  expect(listingType(query, request(accept))).toBe(type);
});

it.each([
  ['delimiter=ab', 412],
  ['limit=10001', 412],
  ['marker=%ff', 400],
])('refuses %s with %i', (query, status) => {
  expect(readListingQuery(query, request(), 'container')).toMatchObject({ status });
});

it('takes odd limits for none, and reads the rest', () => {
  expect(readListingQuery('limit=-1&prefix=a%2Fb&marker=x+y&path=', request(), 'container')).toEqual({
    limit: 10_000,
    prefix: 'a/b',
    marker: 'x y',
    path: '',
  });
});

it('prints times with six digits', () => {
  expect(listingTime('1347000000.12345')).toBe('2012-09-07T06:40:00.123450');
  expect(listingTime('0000000001.00000')).toBe('1970-01-01T00:00:01.000000');
});

it('keeps every name readable', () => {
  const rows: [string, string, number, string | null, string][] = [
    ['é "<&>', '1347000000.12345', 1, 'a/b', 'e'],
    ['dir/', '0', 0, null, ''],
  ];
  const json = objectsAsJson(rows);
  expect(json).toMatch(/^[\x20-\x7e]*$/);
  expect(JSON.parse(json)).toMatchObject([{ name: 'é "<&>', bytes: 1 }, { subdir: 'dir/' }]);
  expect(objectsAsXml(rows, 'c&"')).toContain('<container name="c&amp;&quot;">');
  expect(xmlAttribute("it's")).toBe('"it\'s"');
});
