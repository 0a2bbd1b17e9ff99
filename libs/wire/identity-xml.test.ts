import { describe, expect, it } from 'vitest';
import { identityBody, identityToXml } from './identity-xml.ts';
import { parseXml } from './xml.ts';

const identityFromXml = (text: string) => identityBody(parseXml(text));

describe('identity documents as XML', () => {
  it('writes scalars as attributes, description as element, lists by their singular', () => {
    const xml = identityToXml({
      tenants_links: [],
      tenants: [{ id: 'a', name: 'démo', enabled: true, description: 'x < y', nothing: null }],
    });
    expect(xml).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<tenants xmlns="http://docs.openstack.org/identity/api/v2.0">\n' +
        '  <tenant id="a" name="d&#233;mo" enabled="true">\n' +
        '    <description>x &lt; y</description>\n' +
        '  </tenant>\n' +
        '</tenants>\n',
    );
  });

  it('knows the containers of catalogs and version documents', () => {
    const xml = identityToXml({
      access: { serviceCatalog: [{ type: 'image', endpoints: [{ id: 'e' }], endpoints_links: [] }] },
    });
    const root = parseXml(xml);
    expect(root.children[0]?.name).toBe('serviceCatalog');
    expect(root.children[0]?.children[0]?.name).toBe('service');
    expect(root.children[0]?.children[0]?.children[0]?.name).toBe('endpoint');
    expect(
      identityToXml({ versions: { values: [{ id: 'v2.0', 'media-types': [{ base: 'b' }] }] } }),
    ).toContain('<media-types>\n      <media-type base="b"/>');
  });

  it('puts documents of extensions into their namespace', () => {
    expect(identityToXml({ 'OS-KSADM:services': [{ id: 's' }] })).toContain(
      '<services xmlns="http://docs.openstack.org/identity/api/ext/OS-KSADM/v1.0">',
    );
    expect(
      identityFromXml('<service xmlns="http://docs.openstack.org/identity/api/ext/OS-KSADM/v1.0" name="n"/>'),
    ).toEqual({ 'OS-KSADM:service': { name: 'n' } });
  });

  it('reads attributes, booleans, nested elements and text', () => {
    expect(
      identityFromXml(
        '<tenant xmlns="http://docs.openstack.org/identity/api/v2.0" name="t" enabled="false"><description> d </description></tenant>',
      ),
    ).toEqual({ tenant: { name: 't', enabled: false, description: 'd' } });
    expect(identityFromXml('<auth><passwordCredentials username="u"/></auth>')).toEqual({
      auth: { passwordCredentials: { username: 'u' } },
    });
    expect(identityFromXml('<auth/>')).toEqual({ auth: {} });
  });

  it('refuses document types and damaged documents', () => {
    expect(() => identityFromXml('<!DOCTYPE a [<!ENTITY x "y">]><auth/>')).toThrow('Malformed XML');
    expect(() => identityFromXml('<auth>')).toThrow('Malformed XML');
    expect(() => identityFromXml('<a>text<b/></a>')).toThrow('Malformed XML');
  });

  it('leaves out names XML cannot hold', () => {
    expect(identityToXml({ tenant: { 'bad name': 'x', ok: 1 } })).toContain(
      '<tenant xmlns="http://docs.openstack.org/identity/api/v2.0" ok="1"/>',
    );
  });
});
