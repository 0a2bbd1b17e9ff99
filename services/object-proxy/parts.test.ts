import { describe, expect, it } from 'vitest';
import { isNotModified } from './conditional.ts';
import { contentTypes } from './content-types.ts';
import { cleanAcl, parseAcl, referrerAllowed } from './middleware/acl.ts';
import { FormInvalid, formParts, parseAttributes } from './middleware/form-parts.ts';
import { humanReadable, listingPage } from './middleware/staticweb-page.ts';

describe('access lists', () => {
  it.each([
    ['bob, sue', 'bob,sue'],
    ['bob , sue', 'bob,sue'],
    ['bob,,,sue', 'bob,sue'],
    ['.referrer : *', '.r:*'],
    ['.ref:*.example.com', '.r:.example.com'],
    ['.r:*, .rlistings', '.r:*,.rlistings'],
    ['.r:-*.thief.com', '.r:-.thief.com'],
    ['a:b', 'a:b'],
  ])('%j is tidied to %j', (given, tidy) => {
    expect(cleanAcl('X-Container-Read', given)).toBe(tidy);
  });

  it.each([
    ['X-Container-Read', '.r:', 'No host/domain value'],
    ['X-Container-Read', '.r:-', 'No host/domain value'],
    ['X-Container-Read', '.x:y', "Unknown designator '.x' in ACL: '.x:y'"],
    ['X-Container-Write', '.r:*', "Referrers not allowed in write ACL: '.r:*'"],
  ])('%s %j is refused', (header, value, why) => {
    expect(() => cleanAcl(header, value)).toThrow(why);
  });

  it('let the last referrer that fits decide', () => {
    const { referrers, groups } = parseAcl('.r:.example.com,.r:-thief.example.com,group,.rlistings');
    expect(groups).toEqual(['group', '.rlistings']);
    expect(referrerAllowed('http://www.example.com/x', referrers)).toBe(true);
    expect(referrerAllowed('http://thief.example.com', referrers)).toBe(false);
    expect(referrerAllowed('http://user@www.example.com:80/', referrers)).toBe(true);
    expect(referrerAllowed('http://evil.net/?.example.com', referrers)).toBe(false);
    expect(referrerAllowed(undefined, ['*'])).toBe(true);
    expect(referrerAllowed(undefined, [])).toBe(false);
  });
});

describe('conditions', () => {
  it('304 by tag before date', () => {
    const headers = (entries: [string, string][]) => new Map(entries);
    const at = Date.UTC(2012, 8, 27);
    expect(isNotModified(headers([['if-none-match', '"x", "e"']]), 'e', at)).toBe(true);
    expect(
      isNotModified(
        headers([
          ['if-none-match', '"x"'],
          ['if-modified-since', new Date(at).toUTCString()],
        ]),
        'e',
        at,
      ),
    ).toBe(false);
    expect(isNotModified(headers([['if-modified-since', new Date(at).toUTCString()]]), 'e', at)).toBe(true);
    expect(isNotModified(headers([['if-modified-since', 'nonsense']]), 'e', at)).toBe(false);
  });
});

it('guesses content types as Python does', () => {
  const guess = contentTypes([]);
  expect(guess('a/b.html')).toBe('text/html');
  expect(guess('x.tar.gz')).toBe('application/x-tar');
  expect(guess('x.tgz')).toBe('application/x-tar');
  expect(guess('photo.JPG')).toBe('image/jpeg');
  expect(guess('x.zzz')).toBeNull();
  expect(guess('.html')).toBeNull();
  expect(guess('html')).toBeNull();
});

describe('forms', () => {
  const form = (boundary: string, ...parts: string[]): string =>
    `${parts.map(part => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`;

  /** Parts with the body arriving in pieces of every size. */
  const read = async (text: string, boundary: string, size: number) => {
    const bytes = Buffer.from(text, 'latin1');
    let at = 0;
    const stream = {
      read: async () => {
        if (at >= bytes.length) return null;
        at += size;
        return bytes.subarray(at - size, at);
      },
      cancel: () => {},
    };
    const out: [string, string][] = [];
    for await (const part of formParts(stream, boundary)) {
      let content = '';
      for (let chunk = await part.read(); chunk !== null; chunk = await part.read())
        content += chunk.toString('latin1');
      out.push([part.headers.get('content-disposition') ?? '', content]);
    }
    return out;
  };

  it.each([1, 2, 3, 7, 50, 10_000])('are read whole in pieces of %i bytes', async size => {
    const text = form(
      'XX',
      'Content-Disposition: form-data; name="a"\r\n\r\nvalue',
      'Content-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: text/plain\r\n\r\nline\r\n--X\r\n--not\r\nend',
      'Content-Disposition: form-data; name="e"\r\n\r\n',
    );
    expect(await read(text, 'XX', size)).toEqual([
      ['form-data; name="a"', 'value'],
      ['form-data; name="f"; filename="x"', 'line\r\n--X\r\n--not\r\nend'],
      ['form-data; name="e"', ''],
    ]);
  });

  it('end with their body, even without a last boundary', async () => {
    expect(await read('--XX\r\nContent-Disposition: a\r\n\r\ncut off', 'XX', 5)).toEqual([['a', 'cut off']]);
    await expect(read('no boundary at all', 'XX', 5)).rejects.toThrow(FormInvalid);
    await expect(read('', 'XX', 5)).rejects.toThrow(FormInvalid);
  });

  it('have attributes with and without quotes', () => {
    expect(parseAttributes('form-data; name="a b"; filename=x')).toEqual({
      value: 'form-data',
      attributes: { name: 'a b', filename: 'x' },
    });
    expect(parseAttributes('text/plain').attributes.boundary).toBeUndefined();
  });
});

describe('web listings', () => {
  it('escape what users named', () => {
    const page = listingPage({
      title: '/v1/a/c/<x>',
      prefix: 'p/',
      css: 'style.css',
      items: [
        { subdir: 'p/"d"/' },
        { name: 'p/<b>', bytes: 2048, content_type: 'text/"x', last_modified: '2012-09-27T10:00:00.1' },
      ],
    });
    expect(page).not.toMatch(/<b>|<x>/);
    expect(page).toContain('href="../style.css"');
    expect(page).toContain('href="%22d%22/"');
    expect(page).toContain('2Ki');
    expect(page).toContain('2012-09-27 10:00:00');
    expect(page).toContain('type-&quot;x');
  });

  it('round sizes', () => {
    expect([0, 1023, 1024, 1536, 1_048_576].map(humanReadable)).toEqual(['0', '1023', '1Ki', '2Ki', '1Mi']);
  });
});
