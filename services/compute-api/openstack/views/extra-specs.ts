import type { XmlTemplate } from '@folsom/wire/nova-xml';
import type { JsonObject } from '../http/api.ts';

// Extra specs of flavors and of types of volumes: free keys, each of which is an element's name in XML.

const elementName = (key: string) => (/^[A-Za-z_][\w.-]*$/.test(key) ? key : 'extra_spec');

export const specsXml: XmlTemplate = {
  tag: 'extra_specs',
  at: 'extra_specs',
  always: true,
  children: [
    {
      tag: ([key]: [string]) => elementName(key),
      at: (specs: JsonObject) => Object.entries(specs),
      text: '1',
    },
  ],
};

/** One, without anything around it. */
export const specXml: XmlTemplate = {
  tag: ({ 0: key }: { 0: string }) => elementName(key),
  at: (document: JsonObject) => Object.assign({}, Object.entries(document)[0]),
  text: '1',
};
