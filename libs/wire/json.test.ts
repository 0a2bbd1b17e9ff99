import { expect, it } from 'vitest';
import { parseJson } from './json.ts';

const bytes = (text: string) => Buffer.from(text);
const nested = (levels: number) => bytes(`${'['.repeat(levels)}${']'.repeat(levels)}`);

it('reads JSON', () => {
  expect(parseJson(bytes('{"a": [1, "é", null]}'))).toEqual({ a: [1, 'é', null] });
});

it('refuses what is no JSON, no UTF-8, or nested without an end', () => {
  expect(() => parseJson(bytes('{"a": '))).toThrow(SyntaxError);
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(SyntaxError);
  expect(parseJson(nested(64))).toBeInstanceOf(Array);
  expect(() => parseJson(nested(65))).toThrow(SyntaxError);
  expect(() => parseJson(nested(50_000))).toThrow(SyntaxError);
});
