import { gzipSync } from 'node:zlib';

/** One entry of a ramdisk. Everything belongs to root and has the same time, so that builds are repeatable. */
export type RamdiskEntry =
  | { kind: 'directory'; path: string; mode?: number }
  | { kind: 'file'; path: string; mode: number; data: Uint8Array }
  | { kind: 'link'; path: string; target: string };

/** The `newc` archive that a kernel unpacks as its first root, compressed. */
export function ramdisk(entries: readonly RamdiskEntry[], mtimeSeconds: number): Buffer {
  const parts: Buffer[] = [];
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  let inode = 1;
  for (const entry of sorted) {
    const data =
      entry.kind === 'file'
        ? Buffer.from(entry.data)
        : entry.kind === 'link'
          ? Buffer.from(entry.target)
          : Buffer.alloc(0);
    parts.push(
      header(entry.path, modeOf(entry), inode++, data.length, mtimeSeconds),
      data,
      padding(data.length),
    );
  }
  parts.push(header('TRAILER!!!', 0, 0, 0, 0));
  const archive = Buffer.concat(parts);
  return gzipSync(Buffer.concat([archive, Buffer.alloc((512 - (archive.length % 512)) % 512)]), { level: 9 });
}

const modeOf = (entry: RamdiskEntry): number => {
  if (entry.kind === 'directory') return 0o040000 | (entry.mode ?? 0o755);
  return entry.kind === 'link' ? 0o120777 : 0o100000 | entry.mode;
};

const padding = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);

function header(path: string, mode: number, inode: number, size: number, mtime: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === 0o040000 ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, mtime, size, 0, 0, 0, 0, name.length, 0];
  const text = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`;
  const head = Buffer.concat([Buffer.from(text), name]);
  return Buffer.concat([head, padding(head.length)]);
}
