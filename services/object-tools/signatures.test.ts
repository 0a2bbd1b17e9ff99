import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { formSignature, tempUrl } from './signatures.ts';

const hmac = (key: string, text: string): string => createHmac('sha1', key).update(text).digest('hex');

it('signs a URL for one method, one object and some seconds', () => {
  const signature = hmac('mykey', 'GET\n1060\n/v1/AUTH_a/c/o/p');
  expect(tempUrl(['GET', '60', '/v1/AUTH_a/c/o/p', 'mykey'], 1000.9)).toEqual({
    text: `/v1/AUTH_a/c/o/p?temp_url_sig=${signature}&temp_url_expires=1060\n`,
    code: 0,
  });
});

it.each([
  [[], /^Syntax: swift-temp-url/],
  [['POST', '60', '/v1/a/c/o', 'k'], /either the GET or PUT method/],
  [['GET', 'soon', '/v1/a/c/o', 'k'], /positive <seconds>/],
  [['GET', '60', '/v1/a/c', 'k'], /must point to an object/],
  [['GET', '60', '/v1/a/c/', 'k'], /must point to an object/],
  [['GET', '60', '/v2/a/c/o', 'k'], /must point to an object/],
])('swift-temp-url refuses %j', (argv, why) => {
  expect(tempUrl(argv, 1000)).toEqual({ text: expect.stringMatching(why), code: 1 });
});

it('signs a form', () => {
  const signature = hmac('mykey', '/v1/AUTH_a/c/photo_\nhttps://x/done\n1024\n3\n1060');
  expect(formSignature(['/v1/AUTH_a/c/photo_', 'https://x/done', '1024', '3', '60', 'mykey'], 1000)).toEqual({
    text: `  Expires: 1060\nSignature: ${signature}\n`,
    code: 0,
  });
});

it.each([
  [['/v1/a/c', 'r', '1', '1', '60'], /^Syntax: swift-form-signature/],
  [['/v1/a/c', 'r', '-1', '1', '60', 'k'], /<max_file_size> value greater than or equal to 0/],
  [['/v1/a/c', 'r', '1', '0', '60', 'k'], /positive <max_file_count>/],
  [['/v1/a/c', 'r', '1', '1', 'x', 'k'], /positive <seconds>/],
  [['/v1/a', 'r', '1', '1', '60', 'k'], /must point to a container/],
])('swift-form-signature refuses %j', (argv, why) => {
  expect(formSignature(argv, 1000)).toEqual({ text: expect.stringMatching(why), code: 1 });
});
