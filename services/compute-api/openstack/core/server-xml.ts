import { child, type XmlElement } from '@folsom/wire';
import { attributeOrChild, genericValue, readMetadata } from '@folsom/wire/nova-xml';
import { badRequest } from '../http/faults.ts';
import { boolFromString } from '../http/request.ts';

const HINTS_NS = 'http://docs.openstack.org/compute/ext/scheduler-hints/api/v2';

/** `<server .../>` as the JSON body of POST servers. */
export function readCreateXml(root: XmlElement): unknown {
  if (root.name !== 'server') return {};
  return { server: readServer(root) };
}

const ATTRIBUTES = [
  'name',
  'imageRef',
  'flavorRef',
  'adminPass',
  'accessIPv4',
  'accessIPv6',
  'key_name',
  'availability_zone',
  'min_count',
  'max_count',
  'config_drive',
];

function readServer(node: XmlElement): Record<string, unknown> {
  const server: Record<string, unknown> = {};
  for (const name of ATTRIBUTES) if (node.attributes[name]) server[name] = node.attributes[name];
  if (node.attributes.return_reservation_id) {
    server.return_reservation_id = boolFromString(node.attributes.return_reservation_id);
  }
  const hints = node.children.find(item => item.name === 'scheduler_hints' && item.namespace === HINTS_NS);
  if (hints && hints.children.length > 0) {
    const read: Record<string, string[]> = {};
    for (const item of hints.children) {
      read[item.name] ??= [];
      read[item.name]!.push(item.text.trim());
    }
    server['OS-SCH-HNT:scheduler_hints'] = read;
  }
  const metadata = child(node, 'metadata');
  if (metadata) server.metadata = readMetadata(metadata);
  const userData = child(node, 'user_data');
  if (userData) server.user_data = userData.text;
  const personality = child(node, 'personality');
  if (personality) server.personality = readPersonality(personality);
  const networks = child(node, 'networks');
  if (networks) {
    server.networks = networks.children
      .filter(item => item.name === 'network')
      .map(({ attributes }) => pick(attributes, ['uuid', 'fixed_ip', 'port']));
  }
  const groups = child(node, 'security_groups');
  if (groups) {
    server.security_groups = groups.children
      .filter(item => item.name === 'security_group' && attributeOrChild(item, 'name'))
      .map(item => ({ name: attributeOrChild(item, 'name') }));
  }
  const devices = child(node, 'block_device_mapping');
  if (devices) {
    server.block_device_mapping = devices.children
      .filter(item => item.name === 'mapping')
      .map(({ attributes }) => ({ ...attributes }));
  }
  // Both spellings were in use.
  const disk = node.attributes.diskConfig ?? node.attributes.auto_disk_config;
  if (disk) {
    if (/^(AUTO|MANUAL)$/.test(disk)) server['OS-DCF:diskConfig'] = disk;
    else server.auto_disk_config = boolFromString(disk);
  }
  return server;
}

function readPersonality(node: XmlElement): Record<string, unknown>[] {
  return node.children
    .filter(item => item.name === 'file')
    .map(item => ({ ...pick(item.attributes, ['path']), contents: item.text }));
}

const pick = (from: Record<string, string>, names: string[]): Record<string, string> =>
  Object.fromEntries(names.filter(name => name in from).map(name => [name, from[name]!]));

type Reader = (node: XmlElement) => unknown;

const required = (node: XmlElement, name: string, complaint: string): string => {
  if (!(name in node.attributes)) throw badRequest(complaint);
  return node.attributes[name]!;
};

/** What an action's element stands for, by its name; the others are read by the generic rules. */
const ACTION_READERS: Record<string, Reader> = {
  createImage: node => {
    const metadata = child(node, 'metadata');
    return {
      ...(node.attributes.name ? { name: node.attributes.name } : {}),
      ...(metadata ? { metadata: readMetadata(metadata) } : {}),
    };
  },
  changePassword: node => ({
    adminPass: required(node, 'adminPass', 'No adminPass was specified'),
  }),
  reboot: node => ({ type: required(node, 'type', "Missing argument 'type' for reboot") }),
  resize: node => ({
    flavorRef: required(node, 'flavorRef', "Resize requests require 'flavorRef' attribute."),
    ...pick(node.attributes, ['auto_disk_config']),
  }),
  rebuild: node => {
    const metadata = child(node, 'metadata');
    const personality = child(node, 'personality');
    return {
      ...pick(node.attributes, ['name', 'auto_disk_config', 'adminPass', 'accessIPv4', 'accessIPv6']),
      imageRef: required(node, 'imageRef', 'Could not parse imageRef from request.'),
      ...(metadata ? { metadata: readMetadata(metadata) } : {}),
      ...(personality ? { personality: readPersonality(personality) } : {}),
    };
  },
  confirmResize: () => null,
  revertResize: () => null,
};

export const readActionXml = (root: XmlElement): unknown => ({
  [root.name]: Object.hasOwn(ACTION_READERS, root.name)
    ? ACTION_READERS[root.name]!(root)
    : genericValue(root),
});
