import type { Random } from '@folsom/core';

const DEEP = 5_000;

/** Values that stand where another belongs, as JSON texts: some cannot be written by `JSON.stringify`. */
const JSON_VALUES: readonly string[] = [
  'null', 'true', 'false', '0', '-1', '1.5', '1e308', '1e999', '-0', '9007199254740993', '99999999999999999999999999', '2147483648', '4294967296',
  '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\uffff"', '"\\r\\nX-Evil: 1"', '"../../etc/passwd"', '"%s%n%(x)s"', '"\'; DROP TABLE x; --"',
  '"0x10"', '"1e3"', '"NaN"', '"-1"', '"true"', '"None"', `"${'x'.repeat(256)}"`, `"${'x'.repeat(70_000)}"`, '"é日本🎉"',
  '[]', '[null]', '[[]]', '[{}]', '[[[[[[]]]]]]', '[1, "a", null, {}]', `[${'0,'.repeat(5_000)}0]`,
  '{}', '{"": ""}', '{"a": {}}', '{"__proto__": {"x": 1}}', '{"__proto__": null}', '{"constructor": {"prototype": {"x": 1}}}', '{"toString": 1, "valueOf": 2}',
  '[{"toString": 1, "valueOf": 2}]', '{"toJSON": 1, "length": -1, "then": 1}', '{"length": 4294967295}', '{"hasOwnProperty": 1}',
  `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`, `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`,
]; // biome-ignore format: a table

type Path = readonly (string | number)[];

/** Every place of a document, the whole of it first. */
function placesOf(value: unknown, path: Path = []): Path[] {
  const inner = Array.isArray(value)
    ? value.map((item, at) => [at, item] as const)
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
      : [];
  return [path, ...inner.flatMap(([key, item]) => placesOf(item, [...path, key]))];
}

const HERE = '@@here@@';

/** The text of a document with one place marked. */
function marked(value: unknown, path: Path): unknown {
  if (path.length === 0) return HERE;
  const [key, ...rest] = path;
  if (Array.isArray(value)) return value.map((item, at) => (at === key ? marked(item, rest) : item));
  return Object.fromEntries(
    Object.entries(value as object).map(([name, item]) => [name, name === key ? marked(item, rest) : item]),
  );
}

/** How many bodies {@link jsonFuzz} makes of one. */
export const jsonCount = (body: string): number =>
  placesOf(JSON.parse(body)).length * (JSON_VALUES.length + 3);

/** The body with something else in one place; `n` counts through all places and values. */
export function jsonFuzz(body: string, n: number, random: Random): string {
  const document: unknown = JSON.parse(body);
  const places = placesOf(document);
  const path = places[n % places.length]!;
  const way = Math.floor(n / places.length) % (JSON_VALUES.length + 3);
  const at = (replacement: string) =>
    JSON.stringify(marked(document, path)).replace(`"${HERE}"`, () => replacement);
  if (way < JSON_VALUES.length) return at(JSON_VALUES[way]!);
  const here = path.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown>)[key],
    document,
  );
  const text = JSON.stringify(here) ?? 'null';
  // The same thing in a list, under a name it has already, and twice under one name.
  if (way === JSON_VALUES.length) return at(`[${text}]`);
  if (way === JSON_VALUES.length + 1) return at(`{"${String(path.at(-1) ?? 'a')}": ${text}}`);
  const [key] = path.slice(-1);
  return typeof key === 'string'
    ? JSON.stringify(document).replace(
        `"${key}":`,
        `"${key}":${JSON_VALUES[random.int(JSON_VALUES.length - 2)]},"${key}":`,
      )
    : at(JSON_VALUES[random.int(JSON_VALUES.length)]!);
}

const XML_TEXTS: readonly string[] = [
  '', ' ', '-1', '1e308', '99999999999999999999', 'NaN', 'x'.repeat(70_000), '&#x1F389;', '<![CDATA[x]]>', '<a/>', '<a><b c="d"/></a>'.repeat(50),
  '&lt;', '\u00e9', '../../etc/passwd', '%s%n', '<!-- c -->', '<__proto__ x="1"/>', '<constructor/>', 'true', 'None', `${'<a>'.repeat(500)}${'</a>'.repeat(500)}`,
]; // biome-ignore format: a table
const XML_BROKEN: readonly string[] = [
  '<', '&', '&undefined;', '&#0;', '&#xFFFFFFFF;', '<a', '</a>', ']]>', '<?php ?>', '\u0000', '<a b="c" b="d"/>', '<x:y/>', '<a b=c/>',
]; // biome-ignore format: a table

/** Where values stand in an XML document: texts and attributes. */
function xmlPlaces(body: string): { from: number; to: number; attribute: boolean }[] {
  const places: { from: number; to: number; attribute: boolean }[] = [];
  for (const match of body.matchAll(/="([^"]*)"|>([^<]*)</g)) {
    const attribute = match[1] !== undefined;
    const from = match.index + (attribute ? 2 : 1);
    places.push({ from, to: from + (match[1] ?? match[2] ?? '').length, attribute });
  }
  return places;
}

export const xmlCount = (body: string): number =>
  xmlPlaces(body).length * (XML_TEXTS.length + XML_BROKEN.length) + 4;

/** The document with something else in one place. */
export function xmlFuzz(body: string, n: number): string {
  const places = xmlPlaces(body);
  const values = [...XML_TEXTS, ...XML_BROKEN];
  if (n >= places.length * values.length) {
    const whole = [
      `<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>${body.replace(/>[^<]+</, '>&e;<')}`,
      `<!DOCTYPE a [${'<!ENTITY a "aaaaaaaaaa">'.repeat(10)}]>${body}`,
      `<?xml version="1.1" encoding="UTF-7"?>${body.replace(/<\?xml[^>]*>/, '')}`,
      body.slice(0, Math.floor(body.length / 2)),
    ];
    return whole[n % whole.length]!;
  }
  const { from, to, attribute } = places[n % places.length]!;
  const value = values[Math.floor(n / places.length)]!;
  return body.slice(0, from) + (attribute ? value.replaceAll('"', "'") : value) + body.slice(to);
}
