import type { Random } from '@folsom/core';

/** A request that a server answers, as it would be sent by somebody who means well. */
export interface Honest {
  method: string;
  target: string;
  /** Without Host, Connection and framing. */
  headers: Readonly<Record<string, string>>;
  /** Empty for none. */
  body: string;
  /** Stands in its target and in those of requests hidden in it. */
  mark: string;
}

/** Bytes that somebody may send instead of an {@link Honest} request. */
export interface Hostile {
  name: string;
  /** Made when they are asked for: some are long. */
  bytes(): Buffer;
}

/** The target of requests that are hidden in another one. */
export const smuggledTarget = ({ mark }: Honest): string => `/smuggled/${mark}`;

const CRLF = '\r\n';

interface Shape {
  method?: string;
  target?: string;
  version?: string;
  /** The whole first line, instead. */
  first?: string;
  /** Lines of the head besides the honest ones; each may hold anything. */
  lines?: readonly string[];
  host?: readonly string[];
  /** Ends of lines. */
  eol?: string;
  /** Framing lines; default a right Content-Length. */
  framing?: readonly string[];
  /** What follows the head; default the honest body. */
  body?: string;
  behind?: string;
}

function written(honest: Honest, shape: Shape = {}): string {
  const { eol = CRLF, body = honest.body } = shape;
  const method = shape.method ?? honest.method;
  const first = shape.first ?? `${method} ${shape.target ?? honest.target} ${shape.version ?? 'HTTP/1.1'}`;
  const lines = [
    first,
    ...(shape.host ?? ['Host: folsom.example']),
    ...Object.entries(honest.headers).map(([name, value]) => `${name}: ${value}`),
    ...(shape.framing ?? (body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`])),
    ...(shape.lines ?? []),
  ];
  return lines.map(line => line + eol).join('') + eol + body + (shape.behind ?? '');
}

const chunk = (text: string, size = text.length.toString(16)): string => `${size}${CRLF}${text}${CRLF}`;
const chunked = (honest: Honest): string => `${honest.body === '' ? '' : chunk(honest.body)}0${CRLF}${CRLF}`;
const CHUNKED = ['Transfer-Encoding: chunked'];

/** Framing of two minds, each with a request hidden behind what one of the two readings takes for the end. */
function smuggling(honest: Honest): Record<string, string> {
  const hidden = `GET ${smuggledTarget(honest)} HTTP/1.1${CRLF}Host: folsom.example${CRLF}${CRLF}`;
  const both = (...framing: string[]) => written(honest, { framing, body: `${chunked(honest)}${hidden}` });
  const length = (value: string) => `Content-Length: ${value}`;
  const whole = Buffer.byteLength(honest.body, 'latin1');
  const out: Record<string, string> = {
    'CL.TE': both(length(String(chunked(honest).length)), ...CHUNKED),
    'CL.TE, short': both(length('0'), ...CHUNKED),
    'TE.CL': both(...CHUNKED, length('4')),
    'two codings': both(...CHUNKED, 'Transfer-Encoding: identity'),
    'two codings, chunked last': both('Transfer-Encoding: identity', ...CHUNKED),
    'a coding twice': both(...CHUNKED, ...CHUNKED),
    'body behind a body': written(honest, {
      behind: hidden.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    }),
    'length, differing': written(honest, { framing: [length(String(whole)), length('0')], behind: hidden }),
    'length, differing the other way': written(honest, {
      framing: [length('0'), length(String(whole))],
      behind: hidden,
    }),
    'length, twice the same': written(honest, { framing: [length(String(whole)), length(String(whole))] }),
    'length, a list': written(honest, { framing: [length(`${whole}, ${whole}`)] }),
  };
  for (const coding of [
    'xchunked', 'chunked, identity', 'identity', 'gzip, chunked', 'chunked, chunked', 'Chunked', ' chunked', 'chunked ',
    '"chunked"', 'chunked;q=1', '\x0bchunked', 'chunked\x00', 'chun\tked', '', ',chunked', 'chunked,', 'identity, chunked',
  ]) // biome-ignore format: a table
    out[`coding ${JSON.stringify(coding)}`] = both(`Transfer-Encoding: ${coding}`);
  for (const line of [
    'Transfer-Encoding : chunked',
    ' Transfer-Encoding: chunked',
    'Transfer-Encoding:\r\n chunked',
    'Transfer_Encoding: chunked',
    'Transfer-Encoding:\nchunked',
    'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked',
    'Transfer-Encoding\x00: chunked',
    'Transfer-Encoding:chunked',
    '\x00Transfer-Encoding: chunked',
    'Transfer-Encoding\t: chunked',
    'Content-Length\x0b: 5',
  ]) {
    // biome-ignore format: a table
    out[`line ${JSON.stringify(line)}`] = both(line);
    out[`line ${JSON.stringify(line)}, with a length`] = both(length('0'), line);
  }
  for (const value of [
    '+5', '-5', '-0', '0x5', '5 5', '5,6', '', '5.0', '1e1', '\t5', '５', '00005', '18446744073709551621', '99999999999999999999999',
    '9007199254740993', 'five', '5\x00', '5;', '"5"', 'NaN', 'Infinity',
  ]) // biome-ignore format: a table
    out[`length ${JSON.stringify(value)}`] = written(honest, { framing: [length(value)], behind: hidden });
  return out;
}

/** Chunks that are none. */
function chunks(honest: Honest): Record<string, string> {
  const rest = `0${CRLF}${CRLF}`;
  const text = honest.body === '' ? 'abcde' : honest.body;
  const size = text.length.toString(16);
  const framed = (body: string) => written(honest, { framing: CHUNKED, body });
  const out: Record<string, string> = {
    'chunks, as they should be': framed(`${chunk(text)}${rest}`),
    'chunks of one byte': framed(`${[...text].map(byte => chunk(byte)).join('')}${rest}`),
    'chunk without its end': framed(`${size}${CRLF}${text}${rest}`),
    'chunk that is longer': framed(`${size}${CRLF}${text}X${CRLF}${rest}`),
    'chunk lines with bare LF': framed(`${size}\n${text}\n0\n\n`),
    'chunk lines with bare CR': framed(`${size}\r${text}\r0\r\r`),
    'no last chunk': framed(chunk(text)),
    'extension': framed(`${chunk(text, `${size};a=b`)}${rest}`),
    'extension with a quoted line end': framed(`${chunk(text, `${size};a="\n"`)}${rest}`),
    'extension of 200 kB': framed(`${chunk(text, `${size};${'a'.repeat(200_000)}`)}${rest}`),
    'a thousand extensions': framed(`${[...text.repeat(1000)].slice(0, 1000).map(byte => chunk(byte, `1;${'a'.repeat(100)}`)).join('')}${rest}`),
    'trailer': framed(`${chunk(text)}0${CRLF}X-Trailer: yes${CRLF}${CRLF}`),
    'trailer that is framing': framed(`${chunk(text)}0${CRLF}Content-Length: 50${CRLF}${CRLF}`),
    'trailer that is a request': framed(`${chunk(text)}0${CRLF}GET ${smuggledTarget(honest)} HTTP/1.1${CRLF}${CRLF}`),
    'trailers without end': framed(`${chunk(text)}0${CRLF}${`X-T: ${'t'.repeat(100)}${CRLF}`.repeat(3000)}`),
    'a trailer without end': framed(`${chunk(text)}0${CRLF}X-T: ${'t'.repeat(300_000)}`),
  }; // biome-ignore format: a table
  for (const odd of [
    `-${size}`, `+${size}`, `0x${size}`, `${size} `, ` ${size}`, `0${size}`, `${'0'.repeat(40)}${size}`, 'FFFFFFFFFFFFFFFFF5', 'FFFFFFFFFFFFFFFF',
    '7FFFFFFFFFFFFFFF', '1FFFFFFFFFFFFF', 'g', '', `${size}\x00`, `${size}\t`, `${size}.0`, `${size},`, 'ZZ',
  ]) // biome-ignore format: a table
    out[`chunk size ${JSON.stringify(odd)}`] = framed(`${chunk(text, odd)}${rest}`);
  return out;
}

/** First lines, header lines and their ends. */
function heads(honest: Honest): Record<string, string> {
  const out: Record<string, string> = {};
  const { method, target } = honest;
  const mark = target.includes('?') ? '&' : '?';
  for (const [name, byte] of Object.entries({
    NUL: '\0',
    TAB: '\t',
    LF: '\n',
    CR: '\r',
    VT: '\x0b',
    blank: ' ',
    DEL: '\x7f',
    'a high byte': '\xff',
    'a BOM': '\xef\xbb\xbf',
  })) {
    // biome-ignore format: a table
    out[`${name} in the target`] = written(honest, { target: `${target}${mark}a=${byte}b` });
    out[`${name} and a header in the target`] = written(honest, {
      target: `${target}${mark}a=x${byte}X-Evil: 1`,
    });
    out[`${name} in the method`] = written(honest, { method: `${method}${byte}` });
    out[`${name} in a header's name`] = written(honest, { lines: [`X-A${byte}B: c`] });
    out[`${name} in a header's value`] = written(honest, { lines: [`X-A: b${byte}c`] });
    out[`${name} before a header's colon`] = written(honest, { lines: [`X-A${byte}: c`] });
    out[`${name} before the first line`] = byte + written(honest);
  }
  for (const eol of ['\n', '\r', '\n\r', '\r\r\n', ' \r\n'])
    out[`lines that end in ${JSON.stringify(eol)}`] = written(honest, { eol });
  const targets = {
    absolute: `http://folsom.example${target}`, 'absolute, another host': `http://u:p@evil.example:99${target}`,
    'absolute, another scheme': `ftp://evil.example${target}`, 'absolute, no path': 'http://folsom.example', asterisk: '*', empty: '',
    authority: 'folsom.example:80', 'no slash': target.slice(1), 'two slashes': `/${target}`, fragment: `${target}#fragment`,
    backslash: target.replaceAll('/', '\\'), 'an encoded NUL': `${target}%00`, 'a bad escape': `${target}%zz`, '10,000 characters': `${target}${mark}${'a'.repeat(10_000)}`,
    'a million characters': `${target}${mark}${'a'.repeat(1_000_000)}`,
  }; // biome-ignore format: a table
  for (const [name, odd] of Object.entries(targets))
    out[`target: ${name}`] = written(honest, { target: odd });
  for (const version of [
    'HTTP/1.0',
    'HTTP/1.2',
    'HTTP/0.9',
    'HTTP/2.0',
    'HTTP/01.1',
    'HTTP/1.1 ',
    'http/1.1',
    'HTTP/1.1x',
    'HTTP/1,1',
    'HTTP/',
    'ICY/1.1',
    '',
  ])
    out[`version ${JSON.stringify(version)}`] = written(honest, { version });
  for (const odd of [
    'get',
    'FOO',
    '',
    'G ET',
    'CONNECT',
    'TRACE',
    'PRI',
    'M-SEARCH',
    'A'.repeat(10_000),
    '@',
    '"GET"',
  ])
    out[`method ${odd.slice(0, 20)}`] = written(honest, { method: odd });
  for (const first of [
    `${method} ${target}`,
    `${method}`,
    `${method}  ${target}  HTTP/1.1`,
    `${method}\t${target}\tHTTP/1.1`,
    ` ${method} ${target} HTTP/1.1`,
    'HTTP/1.1 200 OK',
  ])
    out[`first line ${JSON.stringify(first).slice(0, 40)}`] = written(honest, { first });
  for (const [name, host] of Object.entries({
    'no host': [], 'two hosts': ['Host: a', 'Host: b'], 'a host twice': ['Host: a', 'Host: a'], 'a folded host': ['Host: a\r\n b'],
    'a strange host': ['Host: a b/c?d#e@f:g'], 'an empty host': ['Host:'], 'a host with a port out of range': ['Host: a:99999999'],
  })) // biome-ignore format: a table
    out[name] = written(honest, { host });
  for (const [name, lines] of Object.entries({
    'a folded header': ['X-A: b\r\n c'], 'a folded header, by a tab': ['X-A: b\r\n\tc'], 'a fold at the start': [' X-A: b'], 'no colon': ['X-A b'],
    'no name': [': b'], 'a name of UTF-8': ['X-\xc3\xa4: b'], 'a blank line of blanks': ['   ', `GET ${smuggledTarget(honest)} HTTP/1.1`],
    'a header of a million characters': [`X-A: ${'b'.repeat(1_000_000)}`], '100,000 headers': [`${'X-A: b\r\n'.repeat(99_999)}X-A: b`],
    '1,500 headers': Array.from({ length: 1500 }, () => 'X:'), '300 hops': Array.from({ length: 300 }, () => 'Via: 1.1 a'),
    'an upgrade': ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'], 'an upgrade to nothing': ['Connection: Upgrade', 'Upgrade: nothing'],
    'an expectation nobody meets': ['Expect: 200-ok'], 'a prototype': ['__proto__: b', 'constructor: c', 'toString: d'], 'a hop that hides': ['Connection: x-auth-token, content-length, host'],
    'ranges without end': [`Range: bytes=${'0-,'.repeat(3000)}0-`], 'a length of a proxy': ['X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Host: evil'],
  })) // biome-ignore format: a table
    out[name] = written(honest, { lines });
  return out;
}

/** What is no HTTP, and more requests than one. */
function streams(honest: Honest): Record<string, string> {
  const plain = written(honest);
  const last = written(honest, { lines: ['Connection: close'] });
  return {
    nothing: '',
    'line ends': CRLF.repeat(5),
    'line ends first': CRLF + last,
    'a hundred line ends first': CRLF.repeat(100) + last,
    'half a head': plain.slice(0, plain.indexOf('Host')),
    'a head without its end': plain.slice(0, plain.indexOf(`${CRLF}${CRLF}`) + 2),
    'half a body': plain.slice(0, -1),
    'a greeting of TLS': `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\x5a'.repeat(200)}`,
    'the preface of HTTP/2': `PRI * HTTP/2.0${CRLF}${CRLF}SM${CRLF}${CRLF}`,
    'a line of Redis': `CONFIG SET dir /tmp${CRLF}`,
    'nothing but NUL': '\0'.repeat(10_000),
    'a line without end': 'A'.repeat(200_000),
    'ten requests at once': plain.repeat(9) + last,
    'a request and garbage': `${plain}\0\xff${smuggledTarget(honest)}`,
    'a request and half of one': `${plain}GET ${smuggledTarget(honest)}`,
    'a close that is none': `${written(honest, { lines: ['Connection: close'] })}GET ${smuggledTarget(honest)} HTTP/1.1${CRLF}Host: a${CRLF}${CRLF}`,
  };
}

/** The whole corpus for a request, each with its name. */
export const hostileRequests = (honest: Honest): Hostile[] =>
  [smuggling, chunks, heads, streams].flatMap(kind =>
    Object.entries(kind(honest)).map(([name, text]) => ({ name, bytes: () => Buffer.from(text, 'latin1') })),
  );

const PIECES = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '0\r\n\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  '\xff',
  ';',
  ',',
  '%00',
  '\r\n ',
  'GET / HTTP/1.1\r\n\r\n',
];

/** One of the corpus with bytes changed, put in, left out or repeated. */
export function mutated({ name, bytes }: Hostile, random: Random): Hostile {
  let text = bytes().toString('latin1');
  for (let times = 1 + random.int(3); times > 0; times--) {
    const at = random.int(Math.min(text.length, 600) + 1);
    const length = random.int(12);
    const kind = random.int(4);
    const piece =
      kind === 0
        ? PIECES[random.int(PIECES.length)]!
        : kind === 1
          ? String.fromCharCode(random.int(256))
          : kind === 2
            ? ''
            : text.slice(at, at + length).repeat(2);
    text = text.slice(0, at) + piece + text.slice(at + (kind === 0 ? 0 : kind === 1 ? 1 : length));
  }
  return { name: `${name}, changed`, bytes: () => Buffer.from(text, 'latin1') };
}
