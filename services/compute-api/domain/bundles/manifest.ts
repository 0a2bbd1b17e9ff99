import { child, parseXml, type XmlElement } from '@folsom/wire';
import { computeFault } from '../faults.ts';
import { BUNDLE_LIMITS } from './limits.ts';

/** A piece of a bundle, with its SHA1 where the manifest has one. */
export interface BundlePart {
  filename: string;
  sha1: string | null;
}

/** What a bundle's manifest says. */
export interface BundleManifest {
  format: 'ami' | 'aki' | 'ari';
  architecture: string;
  /** Ids of EC2's. */
  kernelId: string | null;
  ramdiskId: string | null;
  mappings: { virtual: string; device: string }[];
  parts: BundlePart[];
  /** Encrypted for the cloud's certificate. */
  encryptedKey: Buffer;
  encryptedIv: Buffer;
}

const TEXT_CHARS_MAX = 255;
const MAPPINGS_MAX = 64;

const at = (element: XmlElement | undefined, ...path: string[]): XmlElement | undefined =>
  path.reduce<XmlElement | undefined>((here, name) => here && child(here, name), element);

const textAt = (element: XmlElement | undefined, ...path: string[]): string | null =>
  at(element, ...path)
    ?.text.trim()
    .slice(0, TEXT_CHARS_MAX) || null;

/** @throws Fault `InvalidBundle` for what is no manifest */
export function readManifest(bytes: Uint8Array): BundleManifest {
  const root = rootOf(bytes);
  const machine = child(root, 'machine_configuration');
  const kernel = textAt(machine, 'kernel_id');
  const ramdisk = textAt(machine, 'ramdisk_id');
  const format = ramdisk === 'true' ? 'ari' : kernel === 'true' ? 'aki' : 'ami';
  return {
    format,
    architecture: textAt(machine, 'architecture') ?? 'x86_64',
    kernelId: kernel === 'true' ? null : kernel,
    ramdiskId: ramdisk === 'true' ? null : ramdisk,
    mappings: mappingsOf(at(machine, 'block_device_mapping')),
    parts: partsOf(child(root, 'image')),
    encryptedKey: hexAt(root, 'ec2_encrypted_key'),
    encryptedIv: hexAt(root, 'ec2_encrypted_iv'),
  };
}

function rootOf(bytes: Uint8Array): XmlElement {
  try {
    return parseXml(bytes);
  } catch (cause) {
    throw computeFault('InvalidBundle', { reason: 'its manifest is no XML document' }, { cause });
  }
}

function mappingsOf(element: XmlElement | undefined): BundleManifest['mappings'] {
  const mappings: BundleManifest['mappings'] = [];
  for (const mapping of element?.children.slice(0, MAPPINGS_MAX) ?? []) {
    const virtual = textAt(mapping, 'virtual');
    const device = textAt(mapping, 'device');
    if (mapping.name === 'mapping' && virtual !== null && device !== null) mappings.push({ virtual, device });
  }
  return mappings;
}

function partsOf(image: XmlElement | undefined): BundlePart[] {
  const parts: BundlePart[] = [];
  for (const part of child(image ?? NOTHING, 'parts')?.children ?? []) {
    const filename = textAt(part, 'filename');
    if (part.name !== 'part' || filename === null) continue;
    const digest = textAt(part, 'digest')?.toLowerCase() ?? '';
    parts.push({ filename, sha1: /^[0-9a-f]{40}$/.test(digest) ? digest : null });
  }
  if (parts.length === 0) throw computeFault('InvalidBundle', { reason: 'its manifest names no parts' });
  if (parts.length > BUNDLE_LIMITS.partsMax) {
    throw computeFault('InvalidBundle', { reason: `it has more than ${BUNDLE_LIMITS.partsMax} parts` });
  }
  return parts;
}

const NOTHING: XmlElement = {
  name: '',
  written: '',
  namespace: '',
  attributes: {},
  writtenAttributes: {},
  children: [],
  text: '',
};

function hexAt(root: XmlElement, name: string): Buffer {
  const text = at(root, 'image', name)?.text.trim() ?? '';
  if (!/^([0-9a-f]{2}){1,2048}$/i.test(text)) {
    throw computeFault('InvalidBundle', { reason: `its manifest has no ${name}` });
  }
  return Buffer.from(text, 'hex');
}
