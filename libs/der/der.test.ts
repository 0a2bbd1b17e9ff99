import { expect, it } from 'vitest';
import { elements, oid } from './index.ts';

it('writes and reads DER', () => {
  expect(oid('1.2.840.113549.1.7.2').toString('hex')).toBe('06092a864886f70d010702');
  expect(() => elements(Buffer.from([0x30, 0x85]))).toThrow(/^DER: /);
  expect(() => elements(Buffer.from([0x30, 0x05, 0x00]))).toThrow(/^DER: /);
});
