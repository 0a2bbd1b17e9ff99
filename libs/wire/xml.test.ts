import { describe, expect, it } from 'vitest';
import { parseXml, writeXml } from './xml.ts';

describe('parseXml', () => {
  it('reads names, namespaces, attributes and text', () => {
    const root = parseXml(
      '<?xml version="1.0"?><server xmlns="urn:x" xmlns:a="urn:a" name="n&amp;m" a:k="v"><m key="k">t &lt; u</m></server>',
    );
    expect(root.name).toBe('server');
    expect(root.namespace).toBe('urn:x');
    expect({ ...root.attributes }).toEqual({ name: 'n&m', k: 'v' });
    expect(root.children[0]).toMatchObject({ name: 'm', text: 't < u' });
  });

  const refused: Record<string, string> = {
    'billion laughs': '<!DOCTYPE l [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><l>&b;</l>',
    'external entity': '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>',
    'bare doctype': '<!DOCTYPE html><l/>',
    'undefined entity': '<l>&nope;</l>',
    'unclosed tag': '<l><m></l>',
    'two roots': '<a/><b/>',
    'no root': '   ',
    'not xml': '{"server": {}}',
    'deep nesting': '<a>'.repeat(1000) + '</a>'.repeat(1000),
    'many elements': `<a>${'<b/>'.repeat(30_000)}</a>`,
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses: ${what}`, () => {
      expect(() => parseXml(text)).toThrowError(
        expect.objectContaining({ name: 'MalformedXml', status: 400 }),
      );
    });
  }

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseXml(Buffer.from([0x3c, 0x61, 0xff, 0x3e]))).toThrowError(/Malformed/);
  });
});

describe('writeXml', () => {
  it('escapes what it writes so that it reads back equal', () => {
    const nasty = `a&b<c>"d"'e'\n\tü😀`;
    const text = writeXml({
      tag: 'a:x',
      namespaces: { a: 'urn:a' },
      attributes: { v: nasty, none: undefined },
      content: [{ tag: 'y', content: nasty }, { tag: 'z' }],
    });
    const back = parseXml(text);
    expect(back.attributes.v).toBe(nasty);
    expect(back.children[0]!.text).toBe(nasty);
    expect(back.children[1]!.name).toBe('z');
  });

  it('drops characters XML cannot hold', () => {
    expect(writeXml({ tag: 'x', content: 'a\u0000b\u001fc\ud800d' }, { declaration: '' })).toBe(
      '<x>abcd</x>',
    );
  });

  it('indents like lxml', () => {
    expect(
      writeXml({ tag: 'a', content: [{ tag: 'b', content: 'c' }] }, { indent: 2, declaration: '' }),
    ).toBe('<a>\n  <b>c</b>\n</a>\n');
  });
});
