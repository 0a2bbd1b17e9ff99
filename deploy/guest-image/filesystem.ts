import { lchown, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HOST_ENV, run } from '@folsom/host';

/** Every time in an image, so that the same packages give the same bytes: 2013-01-01. */
export const IMAGE_TIME_SECONDS = 1_356_998_400;
const FILESYSTEM_UUID = 'cafecafe-0000-4000-8000-000000000001';

/** Gives a tree to root, but for the home of `cirros`. */
export async function ownTree(root: string): Promise<void> {
  for (const entry of ['', ...(await readdir(root, { recursive: true }))]) {
    const owner = entry === 'home/cirros' || entry.startsWith('home/cirros/') ? 1000 : 0;
    await lchown(join(root, entry), owner, owner);
  }
}

/** Writes a tree into a new ext4 filesystem in a file: no mount, no loop device. */
export async function makeFilesystem(
  tree: string,
  sizeMb: number,
  file: string,
  label: string,
): Promise<void> {
  await rm(file, { force: true });
  await (await open(file, 'w')).close();
  await truncate(file, sizeMb * 1024 ** 2);
  const env = { ...HOST_ENV, E2FSPROGS_FAKE_TIME: String(IMAGE_TIME_SECONDS) };
  await run(
    [
      'mke2fs',
      '-q',
      '-F',
      '-t',
      'ext4',
      '-O',
      '^has_journal,^metadata_csum,^64bit,^huge_file',
      '-E',
      `root_owner=0:0,hash_seed=${FILESYSTEM_UUID},lazy_itable_init=0`,
      '-i',
      '8192',
      '-m',
      '0',
      '-L',
      label,
      '-U',
      FILESYSTEM_UUID,
      '-d',
      tree,
      file,
    ],
    { timeoutMs: 120_000, env },
  );
  await fixTimes(tree, file, env);
}

/** mke2fs copies the times of the files it read; this sets all of them. */
async function fixTimes(tree: string, file: string, env: Readonly<Record<string, string>>): Promise<void> {
  const commands: string[] = [];
  for (const entry of await readdir(tree, { recursive: true })) {
    const path = `/${entry.replaceAll('"', '""')}`;
    for (const field of ['ctime', 'atime', 'crtime', 'mtime']) {
      commands.push(`sif "${path}" ${field} @${IMAGE_TIME_SECONDS}`, `sif "${path}" ${field}_extra 0`);
    }
  }
  await run(['debugfs', '-w', '-f', '-', file], {
    timeoutMs: 120_000,
    input: `${commands.join('\n')}\n`,
    env,
  });
}

const SECTOR = 512;
const PARTITION_SECTOR = 2048;

/** A disk: boot code, the loader in the gap before the partition, and the partition. */
export async function makeBootableDisk(options: {
  bootCode: Buffer;
  loader: Buffer;
  partition: Buffer;
  file: string;
}): Promise<void> {
  const { bootCode, loader, partition } = options;
  if (loader.length > (PARTITION_SECTOR - 1) * SECTOR)
    throw new Error('the boot loader does not fit its gap');
  const head = Buffer.alloc(PARTITION_SECTOR * SECTOR);
  bootCode.copy(head, 0, 0, 440);
  head.writeUInt32LE(0xcafecafe, 440);
  head.set([0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff], 446);
  head.writeUInt32LE(PARTITION_SECTOR, 454);
  head.writeUInt32LE(partition.length / SECTOR, 458);
  head.set([0x55, 0xaa], 510);
  loader.copy(head, SECTOR);
  await writeFile(options.file, Buffer.concat([head, partition]));
}
