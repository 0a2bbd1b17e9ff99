import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { Fault } from '@folsom/core';
import { type ConfinedFile, runConfined } from './confined.ts';
import { IMAGE_TOOL_LIMITS } from './qemu-img.ts';

/** A file to be put into a guest's filesystem. */
export interface InjectedFile {
  /** Absolute path inside the guest. */
  path: string;
  /** The bytes, or what is made of those that are there (none: empty). */
  content: Buffer | ((before: Buffer) => Buffer);
  /** Permissions, e.g. 0o600. */
  mode?: number;
}

const EXT_MAGIC_AT = 0x438;
const PATH_BYTES_MAX = 1024;

/**
 * Offset of the first ext2, ext3 or ext4 filesystem of a raw disk: the disk itself, or its partition number
 * `partition`. Undefined where there is none.
 */
export async function extFilesystemAt(disk: string, partition: number): Promise<number | undefined> {
  const file = await open(disk, 'r');
  try {
    const isExt = async (offset: number): Promise<boolean> => {
      const bytes = Buffer.alloc(2);
      const { bytesRead } = await file.read(bytes, 0, 2, offset + EXT_MAGIC_AT);
      return bytesRead === 2 && bytes.readUInt16LE(0) === 0xef53;
    };
    if (await isExt(0)) return 0;
    const table = Buffer.alloc(512);
    const { bytesRead } = await file.read(table, 0, 512, 0);
    if (bytesRead < 512 || table.readUInt16LE(510) !== 0xaa55 || partition < 1 || partition > 4)
      return undefined;
    const start = table.readUInt32LE(446 + 16 * (partition - 1) + 8) * 512;
    return start > 0 && (await isExt(start)) ? start : undefined;
  } finally {
    await file.close();
  }
}

/**
 * Writes files into the ext filesystem of a raw disk. The disk is never mounted: a tool that knows only the bytes of
 * this file does the work, so no link and no `..` inside it leads anywhere else.
 * @throws Fault `InjectionFailed`
 */
export async function injectFiles(
  disk: string,
  offset: number,
  files: readonly InjectedFile[],
): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'inject-'));
  const target = offset === 0 ? disk : `${disk}?offset=${offset}`;
  const debugfs = (commands: readonly string[], write: boolean, others: readonly ConfinedFile[] = []) =>
    runConfined(['debugfs', ...(write ? ['-w'] : []), '-f', '-', target], {
      files: [{ path: disk, write }, ...others],
      timeoutMs: IMAGE_TOOL_LIMITS.quickMs,
      memoryBytes: IMAGE_TOOL_LIMITS.memoryBytes,
      cpuSeconds: IMAGE_TOOL_LIMITS.quickCpuSeconds,
      input: `${commands.join('\n')}\n`,
    });
  try {
    for (const [index, file] of files.entries()) {
      const path = guestPath(file.path);
      const copy = join(scratch, String(index));
      const before = async (): Promise<Buffer> => {
        const old = `${copy}.old`;
        await writeFile(old, '', { mode: 0o600 });
        await debugfs([`dump "${path}" ${old}`], false, [{ path: old, write: true }]);
        return readFile(old);
      };
      const content = typeof file.content === 'function' ? file.content(await before()) : file.content;
      await writeFile(copy, content, { mode: 0o600 });
      const folders = path.split('/').slice(1, -1);
      const commands = folders.map((_name, depth) => `mkdir "/${folders.slice(0, depth + 1).join('/')}"`);
      const mode = (0o100000 | (file.mode ?? 0o644)).toString(8);
      commands.push(`rm "${path}"`, `write ${copy} "${path}"`);
      commands.push(`sif "${path}" mode 0${mode}`, `sif "${path}" uid 0`, `sif "${path}" gid 0`);
      await debugfs(commands, true, [{ path: copy }]);
      const { stdout } = await debugfs([`stat "${path}"`], false);
      if (!stdout.includes(`Size: ${content.length}`)) {
        throw new Fault('InjectionFailed', 500, `The file ${path} cannot be put into the image.`);
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** An absolute path without `..`, and without anything the tool would take for more than a name. */
function guestPath(path: string): string {
  const normal = posix.normalize(`/${path}`);
  const bad = [...normal].some(
    character => character < ' ' || character === '"' || character === '\\' || character === '\u007f',
  );
  if (bad || normal.endsWith('/') || Buffer.byteLength(normal) > PATH_BYTES_MAX) {
    throw new Fault('InjectionFailed', 400, 'The path of an injected file is not acceptable.');
  }
  return normal;
}
