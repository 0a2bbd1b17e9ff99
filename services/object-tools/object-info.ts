import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Ring } from '@folsom/ring';
import type { PathHash } from '@folsom/swift';
import { type ObjectMetadata, readMetadata } from '@folsom/swift/object-metadata';
import { utf8FromBytes } from '@folsom/swift-http';

/** The text of swift-object-info: what an object file says of itself, and whether it is true. */
export function objectReport(file: string, pathHash: PathHash | null, ring: Ring | null): string {
  const fd = openSync(file, 'r');
  try {
    const { name, ...metadata } = readMetadata(fd);
    const {
      'Content-Type': type,
      'X-Timestamp': timestamp,
      ETag: etag,
      'Content-Length': length,
      ...user
    } = metadata;
    const lines: string[] = [];
    if (typeof name === 'string')
      lines.push(...whereAbouts(utf8FromBytes(name) ?? name, timestamp, pathHash, ring));
    else lines.push('Path: Not found in metadata');
    lines.push(`Content-Type: ${type ?? 'Not found in metadata'}`);
    lines.push(
      timestamp === undefined
        ? 'Timestamp: Not found in metadata'
        : `Timestamp: ${localTime(Number(timestamp))} (${timestamp})`,
    );
    const { md5, size } = sumOf(fd);
    if (etag === undefined) lines.push('ETag: Not found in metadata');
    else if (etag === md5) lines.push(`ETag: ${etag} (valid)`);
    else lines.push(`Etag: ${etag} doesn't match file hash of ${md5}!`);
    if (length === undefined) lines.push('Content-Length: Not found in metadata');
    else if (Number(length) === size) lines.push(`Content-Length: ${length} (valid)`);
    else lines.push(`Content-Length: ${length} doesn't match file length of ${size}`);
    lines.push(`User Metadata: ${pythonDict(user)}`, '');
    return lines.join('\n');
  } finally {
    closeSync(fd);
  }
}

function whereAbouts(
  path: string,
  timestamp: string | boolean | undefined,
  pathHash: PathHash | null,
  ring: Ring | null,
): string[] {
  const [, account = '', container = '', ...rest] = path.split('/');
  const object = rest.join('/');
  const lines = [
    `Path: ${path}`,
    `  Account: ${account}`,
    `  Container: ${container}`,
    `  Object: ${object}`,
  ];
  if (!pathHash) return lines;
  const hash = pathHash.hex(account, container, object);
  lines.push(`  Object hash: ${hash}`);
  if (!ring) return lines;
  const partition = ring.partition(pathHash.prefix(account, container, object));
  lines.push('Ring locations:');
  for (const node of ring.nodes(partition)) {
    lines.push(
      `  ${node.ip}:${node.port} - /srv/node/${node.device}/objects/${partition}/${hash.slice(-3)}/${hash}/${timestamp}.data`,
    );
  }
  return lines;
}

function sumOf(fd: number): { md5: string; size: number } {
  const sum = createHash('md5');
  const chunk = Buffer.alloc(65_536);
  let size = 0;
  for (
    let count = readSync(fd, chunk, 0, chunk.length, 0);
    count > 0;
    count = readSync(fd, chunk, 0, chunk.length, size)
  ) {
    sum.update(chunk.subarray(0, count));
    size += count;
  }
  return { md5: sum.digest('hex'), size };
}

/** `2012-09-27 10:00:00.123450` in this host's time. */
function localTime(seconds: number): string {
  const date = new Date(Math.floor(seconds) * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const micro = Math.round((seconds - Math.floor(seconds)) * 1e6);
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}` +
    (micro > 0 ? `.${String(micro).padStart(6, '0')}` : '')
  );
}

const pythonDict = (metadata: ObjectMetadata): string =>
  `{${Object.entries(metadata)
    .map(
      ([key, value]) =>
        `'${key}': ${typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : value ? 'True' : 'False'}`,
    )
    .join(', ')}}`;
