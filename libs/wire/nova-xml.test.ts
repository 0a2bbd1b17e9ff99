import { describe, expect, it } from 'vitest';
import {
  atomLinks,
  extendTemplate,
  genericBody,
  genericXml,
  metadataElement,
  NOVA_NS,
  pythonText,
  readMetadata,
  renderXml,
  type XmlTemplate,
} from './nova-xml.ts';
import { parseXml } from './xml.ts';

const server: XmlTemplate = {
  tag: 'server',
  at: 'server',
  namespaces: { '': 'urn:nova', atom: 'urn:atom' },
  attributes: { id: 'id', name: 'name', host: 'host' },
  children: [metadataElement, atomLinks()],
};

describe('templates', () => {
  it('leave out attributes that are missing and print values as Python does', () => {
    const text = renderXml(server, {
      server: { id: 5, host: null, metadata: { 'a&b': '<c>' }, links: [{ rel: 'self', href: 'x' }] },
    });
    expect(text).toBe(
      "<?xml version='1.0' encoding='UTF-8'?>\n" +
        '<server xmlns="urn:nova" xmlns:atom="urn:atom" id="5" host="None">' +
        '<metadata><meta key="a&amp;b">&lt;c&gt;</meta></metadata><atom:link rel="self" href="x"/></server>',
    );
  });

  it('repeat for lists and take additions', () => {
    const list: XmlTemplate = {
      tag: 'servers',
      children: [
        {
          ...extendTemplate({ tag: 'server', attributes: { id: 'id' } }, [{ attributes: { 'x:y': 'x:y' } }]),
          at: 'servers',
        },
      ],
    };
    expect(renderXml(list, { servers: [{ id: 1, 'x:y': true }, { id: 2 }] })).toContain(
      '<servers><server id="1" x:y="True"/><server id="2"/></servers>',
    );
  });
});

describe('generic rules', () => {
  it('write elements, lists by their singular and faults with their code', () => {
    expect(genericXml({ hosts: [{ name: 'a' }], x: 1 })).toBe('<hosts><host><name>a</name></host></hosts>');
    expect(
      genericXml(
        { badRequest: { message: 'a < b', code: 400 } },
        { xmlns: 'urn:x', attributes: { badRequest: ['code'] } },
      ),
    ).toBe('<badRequest code="400" xmlns="urn:x"><message>a &lt; b</message></badRequest>');
  });

  it('read documents into bodies without touching prototypes', () => {
    const body = genericBody(parseXml('<a k="v"><b>t</b><__proto__>x</__proto__></a>'));
    expect(body.a).toMatchObject({ k: 'v', b: 't' });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
    expect(readMetadata(parseXml('<metadata><meta key="a">1</meta><other/></metadata>'))).toEqual({ a: '1' });
  });

  it('keep the prefixes of extensions, on attributes and elements', () => {
    const key = 'OS-FLV-EXT-DATA:ephemeral';
    const body = (inside: string) =>
      genericBody(
        parseXml(
          `<n:flavor xmlns:n="${NOVA_NS.v11}" xmlns:OS-FLV-EXT-DATA="urn:e" ram="1" ${inside}</n:flavor>`,
        ),
      );
    expect(body(`${key}="2">`)).toEqual({ flavor: { ram: '1', [key]: '2' } });
    expect(body(`><n:disk>3</n:disk><${key}>2</${key}>`)).toEqual({
      flavor: { ram: '1', disk: '3', [key]: '2' },
    });
  });

  it('print as Python prints', () => {
    expect([null, true, 1, 'x', ['a', 1], { k: null }].map(pythonText)).toEqual([
      'None',
      'True',
      '1',
      'x',
      "[u'a', 1]",
      "{u'k': None}",
    ]);
  });
});
