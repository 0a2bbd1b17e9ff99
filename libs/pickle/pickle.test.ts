import { describe, expect, it } from 'vitest';
import { PickleError, pyFloat, pyTuple } from './pickle.ts';
import { unpickle, unpickleDict } from './reader.ts';
import { pickle } from './writer.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('pickle', () => {
  it.each([
    [null],
    [true],
    [false],
    [0],
    [255],
    [256],
    [65535],
    [65536],
    [-1],
    [2 ** 31 - 1],
    [2 ** 31],
    [-(2 ** 31)],
    [-(2 ** 31) - 1],
    [2 ** 53 - 1],
    [1.5],
    [-1.25e-7],
    [''],
    ['abc'],
    ["it's \\ \n\r\t"],
    ['caf\u00e9 \u2603 \u{1f600}'],
    ['x'.repeat(300)],
    [[]],
    [[1, 'a', [null]]],
    [{}],
    [{ 'X-Timestamp': '1347000000.00000', n: { deep: [1, 2] } }],
  ])('writes and reads back %j in both protocols', value => {
    for (const protocol of [0, 2] as const) {
      const read = unpickle(pickle(value, { protocol }));
      expect(JSON.parse(JSON.stringify(read))).toEqual(value);
    }
  });

  it('keeps bytes that are no text', () => {
    const raw = Buffer.from([0, 0x27, 0x5c, 0x80, 0xff, 10]).toString('latin1');
    for (const protocol of [0, 2] as const) {
      expect(unpickle(pickle({ raw }, { protocol, strings: 'latin1' }), { strings: 'latin1' })).toEqual({
        raw,
      });
    }
  });

  it('writes tuples, floats and longs as such', () => {
    expect(pickle(pyTuple('a', 1)).toString('latin1')).toBe('\x80\x02U\x01aK\x01\x86.');
    expect(pickle(pyTuple(1, 2, 3, 4)).toString('latin1')).toBe('\x80\x02(K\x01K\x02K\x03K\x04t.');
    expect(pickle(pyFloat(100))[2]).toBe(0x47);
    expect(unpickle(pickle(2n ** 80n))).toBe(2n ** 80n);
    expect(unpickle(pickle(-(2n ** 80n)))).toBe(-(2n ** 80n));
  });

  it('reads what Python 2.7 writes', () => {
    expect(unpickleDict(bytes("(dp1\nS'a83'\np2\nS'07c'\np3\nsS'x'\nNs."))).toEqual({ a83: '07c', x: null });
    expect(
      unpickle(bytes('\x80\x02]q\x01(I01\nL12L\nF1.5\nVcaf\\u00e9\nh\x01e.'.replace('h\x01', ''))),
    ).toEqual([true, 12, 1.5, 'caf\u00e9']);
  });

  it.each([
    ["cos\nsystem\n(S'echo hacked'\ntR."],
    ['cposix\nsystem\nq\x00(X\x01\x00\x00\x00atR.'],
    ['\x80\x02c__builtin__\neval\nU\x011\x85R.'],
    ["(S'x'\ni__main__\nA\n."],
    ['\x80\x04\x95.'],
    ['\x80\x02\x82\x01.'],
    ["P'1'\n."],
    ['\x80\x02U\x10short.'],
    ['}'],
    ['u.'],
    [')'],
    ['\x80\x02}K\x01N}s.'],
    ['T\xff\xff\xff\xffabc.'],
  ])('refuses %j', text => {
    expect(() => unpickle(bytes(text))).toThrow(PickleError);
  });

  it('calls only what it was allowed to decode', () => {
    const allow = { 'array.array': (args: readonly unknown[]) => Uint16Array.from(args[1] as number[]) };
    const array = Uint16Array.from({ length: 2500 }, (_, i) => i * 20);
    expect(unpickle(pickle(array), { allow })).toEqual(array);
    expect(() => unpickle(pickle(array))).toThrow('array.array is not data');
  });

  it('does not reach into prototypes', () => {
    const read = unpickleDict(pickle(JSON.parse('{"__proto__": {"polluted": true}}')));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(read)).toEqual(['__proto__']);
  });
});
