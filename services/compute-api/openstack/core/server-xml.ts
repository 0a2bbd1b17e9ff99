import { must } from '@folsom/core';
import { child, type XmlElement } from '@folsom/wire';
import { readMetadata } from '@folsom/wire/nova-xml';
import type { ServerAttributes } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { pick, present } from '../http/xml.ts';

/** `<server .../>` as the JSON body of POST servers, with what extensions read of it. */
export function readCreateXml(root: XmlElement, attributes: readonly ServerAttributes[]): unknown {
  if (root.name !== 'server') return {};
  const server = readServer(root);
  for (const attribute of attributes) Object.assign(server, attribute.readXml(root));
  return { server };
}

const ATTRIBUTES = ['name', 'imageRef', 'flavorRef', 'adminPass', 'accessIPv4', 'accessIPv6'];

function readServer(node: XmlElement): Record<string, unknown> {
  const server: Record<string, unknown> = present(node, ATTRIBUTES);
  const metadata = child(node, 'metadata');
  if (metadata) server.metadata = readMetadata(metadata);
  const personality = child(node, 'personality');
  if (personality) server.personality = readPersonality(personality);
  return server;
}

function readPersonality(node: XmlElement): Record<string, unknown>[] {
  return node.children
    .filter(item => item.name === 'file')
    .map(item => ({ ...pick(item.attributes, ['path']), contents: item.text }));
}

const required = (node: XmlElement, name: string, complaint: string): string => {
  if (!(name in node.attributes)) throw badRequest(complaint);
  return must(node.attributes[name], 'name is in attributes');
};

/** What an action's element stands for; the others are read by the generic rules. */
export const actionXml = {
  createImage: (node: XmlElement) => {
    const metadata = child(node, 'metadata');
    return {
      ...(node.attributes.name ? { name: node.attributes.name } : {}),
      ...(metadata ? { metadata: readMetadata(metadata) } : {}),
    };
  },
  changePassword: (node: XmlElement) => ({
    adminPass: required(node, 'adminPass', 'No adminPass was specified'),
  }),
  reboot: (node: XmlElement) => ({ type: required(node, 'type', "Missing argument 'type' for reboot") }),
  resize: (node: XmlElement) => ({
    flavorRef: required(node, 'flavorRef', "Resize requests require 'flavorRef' attribute."),
    ...pick(node.attributes, ['auto_disk_config']),
  }),
  rebuild: (node: XmlElement) => {
    const metadata = child(node, 'metadata');
    const personality = child(node, 'personality');
    return {
      ...pick(node.attributes, ['name', 'auto_disk_config', 'adminPass', 'accessIPv4', 'accessIPv6']),
      imageRef: required(node, 'imageRef', 'Could not parse imageRef from request.'),
      ...(metadata ? { metadata: readMetadata(metadata) } : {}),
      ...(personality ? { personality: readPersonality(personality) } : {}),
    };
  },
};
