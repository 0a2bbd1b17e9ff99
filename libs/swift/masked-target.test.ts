import { expect, it } from 'vitest';
import { maskedTarget } from './masked-target.ts';

it.each([
  'temp_url_sig',
  'TEMP_URL_SIG',
  'temp%5furl%5Fsig',
  't%65mp_url_sig',
  '+temp_url_sig',
  'token',
  'Token',
  't%6Fken',
  'tokenid',
  'X-Auth-Token',
  'x_auth_token',
  'X%2DAuth-Token',
  'X-Storage-Token',
  'auth_token',
  'signature',
])('hides the value of %s', name => {
  for (const target of [
    `/v1/a/c/o?${name}=SECRET`,
    `/v1/a/c/o?a=b&${name}=SECRET&c=d`,
    `/v1/a/c/o?a=b;${name}=SECRET`,
    `/v1/a/c/o??${name}=SECRET`,
    `http://host/v1/a/c/o?${name}=SECRET#x`,
    `/v1/a/c/o?${name}=SECRET=SECRET`,
    `/v1/a/c/o?${name}=x&${name}=SECRET`,
  ]) {
    expect(maskedTarget(target)).not.toContain('SECRET');
  }
});

it('leaves everything else', () => {
  for (const target of ['/v1/a/c', '/v1/a/c?prefix=token&limit=3', '/v1/a/c/token=x', '/v1/a?marker=a%3Db']) {
    expect(maskedTarget(target)).toBe(target);
  }
});
