import type { XmlElement } from '@folsom/wire';
import { metadataElement, NOVA_NS, readMetadata, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { JsonObject } from '../http/api.ts';

const namespaces = { '': NOVA_NS.v11 };
export const metadataXml: XmlTemplate = { ...metadataElement, namespaces };
export const metaItemXml: XmlTemplate = {
  tag: 'meta',
  at: ({ meta }: { meta: JsonObject }) => Object.assign({}, Object.entries(meta)[0]),
  attributes: { key: '0' },
  text: '1',
  namespaces,
};
export const readMetadataXml = (root: XmlElement) => ({
  metadata: root.name === 'metadata' ? readMetadata(root) : {},
});
export const readMetaItemXml = (root: XmlElement) => ({
  meta: root.name === 'meta' ? { [root.attributes.key ?? '']: root.text } : {},
});
