import { expect, it } from 'vitest';
import { fieldsText } from './log-line.ts';
import { createLogger } from './logger.ts';
import { maskSecrets } from './masking.ts';

const FIELDS = [
  {},
  { a: 1, b: 'text "quoted"\n', c: null, d: undefined, e: true, f: Number.NaN, g: -0, h: 1.5 },
  { password: 'p', adminPass: '', token: null, 'x-auth-token': 't', secret: 5, key: undefined },
  {
    path: '/v2.0/tokens/abc?temp_url_sig=x&a=b',
    url: 'http://user:pw@host/',
    text: 'mysql://u:p@h/d?password=x',
  },
  { line: `GET /v1/AUTH_x/c/o HTTP/1.1 ${'y'.repeat(9000)}`, 'odd "name"': '\u2028 ü \ud800' },
];

it.each(FIELDS)('plain fields are written as masking and JSON write them: %j', fields => {
  const json = JSON.stringify(maskSecrets(fields));
  expect(fieldsText(fields)).toBe(json === '{}' ? '' : `,${json.slice(1, -1)}`);
});

it('leaves what has parts, and large numbers, to others', () => {
  for (const value of [{}, [1], new Error('x'), 5n, new Date(0), () => 1, Symbol('s')])
    expect(fieldsText({ value })).toBeNull();
});

it('lines are the same whether their fields are plain or not', () => {
  const lines: string[] = [];
  const clock = { now: () => 1_348_704_000_123 } as never;
  const log = createLogger({
    write: line => lines.push(line),
    clock,
    fields: { service: 's', password: 'x' },
  });
  for (const fields of FIELDS) {
    log.info('said password=x', fields);
    log.info('said password=x', { ...fields, parts: [] });
    const [plain, other] = lines.splice(0).map(line => JSON.parse(line));
    expect({ ...plain, parts: [] }).toEqual(other);
  }
  // The last one counts, in the place of the first.
  log.warn('one', { service: 't', message: 'two', level: 'x' });
  expect(lines).toEqual([
    '{"time":"2012-09-27T00:00:00.123Z","level":"x","service":"t","password":"***","message":"two"}\n',
  ]);
});
