import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isS3SignedWith, isSignedWith, type SignedRequest, s3SignedAt, signedAt } from './ec2-signature.ts';

// Signed by the original's own signer.
const SECRET = 'e136b05060184dbfb9e99716dc9930a2';
const ACCESS = '9ad400b36aea48efacc1677b1de2add6';
const recorded = (signature: string, version: string, more: Record<string, string> = {}): SignedRequest => ({
  signature,
  host: '127.0.0.1:8773',
  verb: 'POST',
  path: '/services/Cloud',
  params: {
    Action: 'DescribeInstances',
    AWSAccessKeyId: ACCESS,
    SignatureVersion: version,
    Timestamp: '2013-01-01T00:00:00Z',
    Version: '2010-11-15',
    ...more,
  },
});

describe('EC2 signatures', () => {
  it.each([
    ['0', 'mgWRqElLqxZSZ7kiS986neetxEE=', {}],
    ['1', '3CpdLu7iIM3K7kf6GQ8MQVeR2AU=', {}],
    ['2', 'wQQZe3Gg5im09NSfVtgty12scbY1ixhFv8ZP8P8v2k4=', { SignatureMethod: 'HmacSHA256' }],
  ])('of version %s are recognised', (version, signature, more) => {
    const request = recorded(signature, version, more);
    expect(isSignedWith(SECRET, request)).toBe(true);
    expect(isSignedWith(`${SECRET}x`, request)).toBe(false);
    expect(
      isSignedWith(SECRET, { ...request, params: { ...request.params, Action: 'TerminateInstances' } }),
    ).toBe(false);
  });

  it('are refused, not fallen over, where a text is no Unicode', () => {
    const request = recorded('x', '2', { SignatureMethod: 'HmacSHA256', Version: '\ud800' });
    expect(isSignedWith(SECRET, request)).toBe(false);
  });

  it('may leave the port out', () => {
    const request = recorded('', '2', { SignatureMethod: 'HmacSHA256', 'Filter.1.Name': "a b*c~d'(é)" });
    const query =
      'AWSAccessKeyId=9ad400b36aea48efacc1677b1de2add6&Action=DescribeInstances&' +
      'Filter.1.Name=a%20b%2Ac~d%27%28%C3%A9%29&SignatureMethod=HmacSHA256&SignatureVersion=2&' +
      'Timestamp=2013-01-01T00%3A00%3A00Z&Version=2010-11-15';
    const signature = createHmac('sha256', SECRET)
      .update(`POST\n127.0.0.1\n/services/Cloud\n${query}`)
      .digest('base64');
    expect(isSignedWith(SECRET, { ...request, signature })).toBe(true);
  });

  it('of version 2 are for one verb, host and path', () => {
    const signed = recorded('wQQZe3Gg5im09NSfVtgty12scbY1ixhFv8ZP8P8v2k4=', '2', {
      SignatureMethod: 'HmacSHA256',
    });
    expect(isSignedWith(SECRET, signed)).toBe(true);
    for (const other of [{ verb: 'GET' }, { host: '127.0.0.2:8773' }, { path: '/services/Admin' }])
      expect(isSignedWith(SECRET, { ...signed, ...other })).toBe(false);
    expect(isSignedWith(SECRET, { ...signed, signature: signed.signature.slice(0, -1) })).toBe(false);
    expect(isSignedWith(SECRET, { ...signed, signature: '' })).toBe(false);
  });

  it('of other versions are refused', () => {
    expect(isSignedWith(SECRET, recorded('', '4'))).toBe(false);
  });

  it('carry their time', () => {
    expect(signedAt({ Timestamp: '2013-01-01T00:00:00Z' })).toEqual({
      at: Date.UTC(2013, 0, 1),
      until: null,
    });
    expect(signedAt({ Timestamp: '2013-01-01T00:00:00' }).at).toBe(Date.UTC(2013, 0, 1));
    expect(signedAt({ Expires: '2013-01-01T00:00:00.500Z' }).until).toBe(Date.UTC(2013, 0, 1) + 500);
    expect(signedAt({ Timestamp: 'yesterday' })).toEqual({ at: null, until: null });
  });
});

describe('S3 signatures', () => {
  const token = 'R0VUCgoKVHVlLCAyNyBNYXIgMjAwNyAxOTozNjo0MiArMDAwMAovYnVja2V0L2tleQ==';

  it('are recognised', () => {
    expect(isS3SignedWith(SECRET, token, 'EMAHJY9TiF3YFEK6f+Wp/fTcw+4=')).toBe(true);
    expect(isS3SignedWith(SECRET, token, 'EMAHJY9TiF3YFEK6f+Wp/fTcw+5=')).toBe(false);
  });

  it('carry a date, a date header, or the end of a presigned URL', () => {
    const encode = (text: string) => Buffer.from(text).toString('base64url');
    expect(s3SignedAt(token).at).toBe(Date.UTC(2007, 2, 27, 19, 36, 42));
    expect(s3SignedAt(encode('GET\n\n\n\nx-amz-date:Tue, 27 Mar 2007 19:36:42 +0000\n/b')).at).toBe(
      Date.UTC(2007, 2, 27, 19, 36, 42),
    );
    expect(s3SignedAt(encode('GET\n\n\n1175139620\n/b'))).toEqual({ at: null, until: 1_175_139_620_000 });
    expect(s3SignedAt(encode('GET'))).toEqual({ at: null, until: null });
  });
});
