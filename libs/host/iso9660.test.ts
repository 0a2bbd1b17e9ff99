import { expect, it } from 'vitest';
import { isoImage } from './iso9660.ts';

const SECTOR = 2048;

/** Reads a file through the Joliet directories. */
function read(image: Buffer, path: string): string | undefined {
  const root = image.subarray(17 * SECTOR + 156);
  let extent = root.readUInt32LE(2);
  let size = root.readUInt32LE(10);
  for (const part of path.split('/')) {
    const listing = image.subarray(extent * SECTOR, extent * SECTOR + size);
    let found = false;
    for (let at = 0; at < listing.length; ) {
      const length = listing[at]!;
      if (length === 0) {
        at = (Math.floor(at / SECTOR) + 1) * SECTOR;
        continue;
      }
      const raw = Buffer.from(listing.subarray(at + 33, at + 33 + listing[at + 32]!));
      const name = raw.length > 1 ? raw.swap16().toString('utf16le').replace(/;1$/, '') : '';
      if (name === part) {
        extent = listing.readUInt32LE(at + 2);
        size = listing.readUInt32LE(at + 10);
        found = true;
        break;
      }
      at += length;
    }
    if (!found) return undefined;
  }
  return image.subarray(extent * SECTOR, extent * SECTOR + size).toString();
}

it('holds every file under its own name, also when a folder fills several sectors', () => {
  const files = new Map([
    ['openstack/latest/meta_data.json', Buffer.from('{"a": 1}')],
    ['openstack/content/0000', Buffer.from('x'.repeat(5000))],
    ['ec2/2009-04-04/user-data', Buffer.alloc(0)],
  ]);
  for (let index = 0; index < 100; index++)
    files.set(`many/file-with-a-long-name-${index}`, Buffer.from(`${index}`));
  const image = isoImage('config-2', files, Date.UTC(2013, 0, 1));
  expect(image.subarray(16 * SECTOR, 16 * SECTOR + 6).toString('latin1')).toBe('\u0001CD001');
  expect(image.subarray(16 * SECTOR + 40, 16 * SECTOR + 48).toString()).toBe('config-2');
  expect(image.length % SECTOR).toBe(0);
  for (const [path, data] of files) expect(read(image, path)).toBe(data.toString());
  expect(read(image, 'openstack/none')).toBeUndefined();
});
