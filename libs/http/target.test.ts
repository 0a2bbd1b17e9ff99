import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalTarget } from './target.ts';

const pathOf = (target: string): string => canonicalTarget(target).path;

describe('the canonical target', () => {
  it('reads absolute targets, whose authority counts', () => {
    expect(canonicalTarget('http://evil.example:1/v1/images?a=%2f')).toEqual({
      path: '/v1/images',
      query: '?a=%2f',
      authority: 'evil.example:1',
    });
    expect(canonicalTarget('HTTPS://u:p@h?x')).toEqual({ path: '/', query: '?x', authority: 'h' });
    expect(canonicalTarget('http://h')).toEqual({ path: '/', query: '', authority: 'h' });
    expect(canonicalTarget('/http://h/v1')).toEqual({ path: '/http:/h/v1', query: '', authority: null });
    expect(canonicalTarget('/a#b?c')).toEqual({ path: '/a', query: '', authority: null });
  });

  it('takes an encoded letter for the letter, once', () => {
    expect(pathOf('/%76%31/%69mages')).toBe('/v1/images');
    expect(pathOf('/v2%2e0/tokens/%7eT')).toBe('/v2.0/tokens/~T');
    expect(pathOf('/%2576%2531/images')).toBe('/%2576%2531/images');
  });

  it('takes no encoded separator for a separator', () => {
    expect(pathOf('/v1%2fimages%5cx')).toBe('/v1%2Fimages%5Cx');
    expect(pathOf('/v1\\images')).toBe('/v1%5Cimages');
    expect(pathOf('/v1/%3fa%23b')).toBe('/v1/%3Fa%23b');
    expect(pathOf('/v1/%2e%2e/v2')).toBe('/v1/../v2');
  });

  it('takes slashes in a row for one, in the path only', () => {
    expect(pathOf('//v2/T///servers')).toBe('/v2/T/servers');
    expect(pathOf('http://h//v1//images')).toBe('/v1/images');
    expect(canonicalTarget('/v1//images?a=//b')).toMatchObject({ path: '/v1/images', query: '?a=//b' });
    expect(pathOf('/v1/%2F%2Fimages')).toBe('/v1/%2F%2Fimages');
  });

  it('begins with a slash, whatever was sent', () => {
    expect([pathOf('*'), pathOf('*/2.0?a'), pathOf('*0')]).toEqual(['/*', '/*/2.0', '/*0']);
  });

  it('encodes what is no path', () => {
    expect(pathOf('/%zz/%')).toBe('/%25zz/%25');
    expect(pathOf('/\u00fc')).toBe('/%FC');
  });

  it('has one spelling: what it gives stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'/%25aFv.\\?#2\u00fc~') }), text => {
        const once = pathOf(`/${text}`);
        expect(pathOf(once)).toBe(once);
      }),
    );
  });
});
