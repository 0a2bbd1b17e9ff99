/**
 * Writes a small ISO 9660 image with Joliet names: what a config drive is. Everything is in memory; a config drive holds
 * some kilobytes.
 */

const SECTOR = 2048;
const FIRST_SECTOR = 16;
const JOLIET_NAME_CHARS_MAX = 64;

interface Folder {
  name: string;
  parent: Folder | undefined;
  folders: Folder[];
  files: { name: string; data: Buffer; extent: number }[];
  /** First sector of its listing, by kind of name. */
  extent: Record<Kind, number>;
  size: Record<Kind, number>;
  number: number;
}
type Kind = 'plain' | 'joliet';
const KINDS: readonly Kind[] = ['plain', 'joliet'];

/** `files` by path (`openstack/latest/meta_data.json`); `time` in milliseconds. */
export function isoImage(label: string, files: ReadonlyMap<string, Uint8Array>, time: number): Buffer {
  const root = folderTree(files);
  const folders = inOrder(root);
  let next = FIRST_SECTOR + 3;
  const tables = {} as Record<Kind, { little: number; big: number; bytes: number }>;
  for (const kind of KINDS) {
    const bytes = pathTable(folders, kind, true).length;
    const little = next;
    const big = little + sectors(bytes);
    next = big + sectors(bytes);
    tables[kind] = { little, big, bytes };
  }
  for (const kind of KINDS) {
    for (const folder of folders) {
      folder.size[kind] = sectors(listing(folder, kind, time).length) * SECTOR;
      folder.extent[kind] = next;
      next += folder.size[kind] / SECTOR;
    }
  }
  for (const folder of folders) {
    for (const file of folder.files) {
      file.extent = next;
      next += Math.max(1, sectors(file.data.length));
    }
  }
  const image = Buffer.alloc(next * SECTOR);
  const put = (sector: number, data: Buffer) => data.copy(image, sector * SECTOR);
  put(FIRST_SECTOR, descriptor(1, label, root, tables.plain, next, time));
  put(FIRST_SECTOR + 1, descriptor(2, label, root, tables.joliet, next, time));
  put(FIRST_SECTOR + 2, Buffer.from([255, ...Buffer.from('CD001'), 1]));
  for (const kind of KINDS) {
    put(tables[kind].little, pathTable(folders, kind, true));
    put(tables[kind].big, pathTable(folders, kind, false));
    for (const folder of folders) put(folder.extent[kind], listing(folder, kind, time));
  }
  for (const folder of folders) for (const file of folder.files) put(file.extent, file.data);
  return image;
}

const sectors = (bytes: number): number => Math.ceil(bytes / SECTOR);

function folderTree(files: ReadonlyMap<string, Uint8Array>): Folder {
  const make = (name: string, parent: Folder | undefined): Folder => ({
    name,
    parent,
    folders: [],
    files: [],
    extent: { plain: 0, joliet: 0 },
    size: { plain: SECTOR, joliet: SECTOR },
    number: 1,
  });
  const root = make('', undefined);
  for (const [path, data] of files) {
    const parts = path.split('/').filter(part => part !== '');
    const name = parts.pop();
    if (name === undefined || parts.length > 7) throw new Error(`iso: bad path ${path}`);
    let at = root;
    for (const part of parts) {
      let below = at.folders.find(folder => folder.name === part);
      if (below === undefined) {
        below = make(part, at);
        at.folders.push(below);
      }
      at = below;
    }
    at.files.push({ name, data: Buffer.from(data), extent: 0 });
  }
  return root;
}

/** Folders level by level, sorted, numbered as path tables want them. */
function inOrder(root: Folder): Folder[] {
  const all: Folder[] = [];
  for (let level = [root]; level.length > 0; ) {
    all.push(...level);
    level = level.flatMap(folder => folder.folders.sort((a, b) => (a.name < b.name ? -1 : 1)));
  }
  all.forEach((folder, index) => {
    folder.number = index + 1;
  });
  return all;
}

/** A name as its kind of directory has it. */
function nameBytes(name: string, kind: Kind, isFile: boolean): Buffer {
  if (kind === 'joliet') {
    const text = `${name.slice(0, JOLIET_NAME_CHARS_MAX)}${isFile ? ';1' : ''}`;
    return Buffer.from(text, 'utf16le').swap16();
  }
  const plain = name
    .toUpperCase()
    .replace(/[^A-Z0-9_.]/g, '_')
    .slice(0, 28);
  return Buffer.from(isFile ? `${plain.includes('.') ? plain : `${plain}.`};1` : plain.replaceAll('.', '_'));
}

const both32 = (value: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(value, 0);
  out.writeUInt32BE(value, 4);
  return out;
};
const both16 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt16LE(value, 0);
  out.writeUInt16BE(value, 2);
  return out;
};

function record(name: Buffer, extent: number, size: number, isFolder: boolean, time: number): Buffer {
  const at = new Date(time);
  const date = [
    at.getUTCFullYear() - 1900,
    at.getUTCMonth() + 1,
    at.getUTCDate(),
    at.getUTCHours(),
    at.getUTCMinutes(),
    at.getUTCSeconds(),
    0,
  ];
  const length = 33 + name.length + ((33 + name.length) % 2);
  return Buffer.concat(
    [
      Buffer.from([length, 0]),
      both32(extent),
      both32(size),
      Buffer.from([...date, isFolder ? 2 : 0, 0, 0]),
      both16(1),
      Buffer.from([name.length]),
      name,
    ],
    length,
  );
}

function listing(folder: Folder, kind: Kind, time: number): Buffer {
  const above = folder.parent ?? folder;
  const entries = [
    ...folder.folders.map(one => ({
      key: one.name,
      bytes: record(nameBytes(one.name, kind, false), one.extent[kind], one.size[kind], true, time),
    })),
    ...folder.files.map(one => ({
      key: one.name,
      bytes: record(nameBytes(one.name, kind, true), one.extent, one.data.length, false, time),
    })),
  ].sort((a, b) => (a.key < b.key ? -1 : 1));
  const out: Buffer[] = [
    record(Buffer.from([0]), folder.extent[kind], folder.size[kind], true, time),
    record(Buffer.from([1]), above.extent[kind], above.size[kind], true, time),
  ];
  let filled = out.reduce((sum, bytes) => sum + bytes.length, 0);
  for (const { bytes } of entries) {
    // A record never lies across two sectors.
    const room = SECTOR - (filled % SECTOR);
    if (bytes.length > room) {
      out.push(Buffer.alloc(room));
      filled += room;
    }
    out.push(bytes);
    filled += bytes.length;
  }
  return Buffer.concat(out);
}

function pathTable(folders: readonly Folder[], kind: Kind, little: boolean): Buffer {
  return Buffer.concat(
    folders.map(folder => {
      const name = folder.parent === undefined ? Buffer.from([0]) : nameBytes(folder.name, kind, false);
      const head = Buffer.alloc(8);
      head[0] = name.length;
      const parent = folder.parent?.number ?? 1;
      if (little) {
        head.writeUInt32LE(folder.extent[kind], 2);
        head.writeUInt16LE(parent, 6);
      } else {
        head.writeUInt32BE(folder.extent[kind], 2);
        head.writeUInt16BE(parent, 6);
      }
      return Buffer.concat([head, name, Buffer.alloc(name.length % 2)]);
    }),
  );
}

function descriptor(
  type: 1 | 2,
  label: string,
  root: Folder,
  table: { little: number; big: number; bytes: number },
  total: number,
  time: number,
): Buffer {
  const kind: Kind = type === 1 ? 'plain' : 'joliet';
  const out = Buffer.alloc(SECTOR);
  out.set([type, ...Buffer.from('CD001'), 1], 0);
  const text = (value: string, at: number, length: number) => {
    if (kind === 'joliet') {
      const padded = value.slice(0, length / 2).padEnd(length / 2, ' ');
      Buffer.from(padded, 'utf16le').swap16().copy(out, at);
    } else Buffer.from(value.slice(0, length).padEnd(length, ' ')).copy(out, at);
  };
  text('LINUX', 8, 32);
  text(label, 40, 32);
  both32(total).copy(out, 80);
  if (kind === 'joliet') out.set([0x25, 0x2f, 0x45], 88);
  both16(1).copy(out, 120);
  both16(1).copy(out, 124);
  both16(SECTOR).copy(out, 128);
  both32(table.bytes).copy(out, 132);
  out.writeUInt32LE(table.little, 140);
  out.writeUInt32BE(table.big, 148);
  record(Buffer.from([0]), root.extent[kind], root.size[kind], true, time).copy(out, 156);
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const) {
    if (kind === 'plain') text('', at, length);
  }
  const stamp = new Date(time).toISOString().replace(/\D/g, '').slice(0, 16);
  for (const at of [813, 830, 847, 864]) out.write(stamp, at, 'latin1');
  out[881] = 1;
  return out;
}
