/** Longer than any name, shorter than the largest body. */
export const LONG = 'x'.repeat(100_000);
/** Values put where something else belongs. */
export const VALUES: unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  99_999_999_999,
  '',
  ' ',
  'x'.repeat(300),
  '\u0000',
  '\ud800',
  "'; DROP TABLE instances; --",
  '%s%s%n',
  '../../etc/passwd',
  [],
  [null],
  [[]],
  {},
  { a: {} },
  // Own keys, as a body can have them.
  JSON.parse('{"__proto__": {"x": 1}}'),
  { toString: 1, valueOf: 2 },
  [{ toString: 1, valueOf: 2 }],
  { constructor: 1, length: -1, toJSON: 1 },
  JSON.parse(`${'['.repeat(1_000)}${']'.repeat(1_000)}`),
  LONG.slice(0, 60_000),
];

/** Bodies that are no good whatever the route. */
export const RAW: [name: string, raw: string | Uint8Array, type: string][] = [
  ['broken JSON', '{"server": ', 'application/json'],
  ['not UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 'application/json'],
  ['a list', '[]', 'application/json'],
  ['a number', '5', 'application/json'],
  ['null', 'null', 'application/json'],
  ['a text', '"server"', 'application/json'],
  ['deep nesting', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'application/json'],
  ['prototype keys', '{"__proto__": {"isAdmin": true}, "constructor": 1}', 'application/json'],
  ['broken XML', '<server', 'application/xml'],
  ['entities', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 'application/xml'],
  ['another document', '<html><body/></html>', 'application/xml'],
  ['a long text', `{"server": {"name": "${LONG}"}}`, 'application/json'],
  ['too large', `{"a": "${'x'.repeat(200_000)}"}`, 'application/json'],
  ['another type', 'hello', 'text/plain'],
  ['an unknown type', 'hello', 'application/x-whatever'],
];
