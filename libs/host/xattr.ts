import koffi from 'koffi';

/**
 * What files need beyond node:fs, on open descriptors: extended attributes, preallocation, giving a nameless file its
 * name, and telling the page cache to forget. All of them are short enough to be called directly.
 */
const libc = koffi.load('libc.so.6');
const fgetxattr = libc.func('long fgetxattr(int fd, const char *name, _Out_ void *value, size_t size)');
const fsetxattr = libc.func(
  'int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)',
);
const posixFallocate = libc.func('int fallocate(int fd, int mode, int64 offset, int64 length)');
const linkat = libc.func(
  'int linkat(int oldDir, const char *oldPath, int newDir, const char *newPath, int flags)',
);
const fadvise = libc.func('int posix_fadvise(int fd, int64 offset, int64 length, int advice)');

const syncFileRange = libc.func(
  'int sync_file_range(int fd, int64 offset, int64 length, unsigned int flags)',
);

const ENODATA = 61;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
const FALLOC_FL_KEEP_SIZE = 1;
const POSIX_FADV_DONTNEED = 4;
/** Begin after what is under way, write, and wait. */
const SYNC_FILE_RANGE_ALL = 1 | 2 | 4;

const NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  5: 'EIO',
  7: 'E2BIG',
  9: 'EBADF',
  13: 'EACCES',
  17: 'EEXIST',
  18: 'EXDEV',
  28: 'ENOSPC',
  30: 'EROFS',
  34: 'ERANGE',
  95: 'EOPNOTSUPP',
  117: 'EUCLEAN',
  122: 'EDQUOT',
};

/** An error like node:fs throws: `code` is the errno's name. */
function failure(call: string): NodeJS.ErrnoException {
  const errno = koffi.errno();
  const code = NAMES[errno] ?? `E${errno}`;
  return Object.assign(new Error(`${code}: ${call} failed`), { code, errno: -errno, syscall: call });
}

const VALUE_BYTES_MAX = 65_536;
const value = Buffer.alloc(VALUE_BYTES_MAX);

/** The value of an attribute such as `user.swift.metadata`; null if the file has none of that name. */
export function getXattr(fd: number, name: string): Buffer | null {
  const length = fgetxattr(fd, name, value, VALUE_BYTES_MAX) as number;
  if (length >= 0) return Buffer.from(value.subarray(0, length));
  if (koffi.errno() === ENODATA) return null;
  throw failure('fgetxattr');
}

export function setXattr(fd: number, name: string, bytes: Uint8Array): void {
  if (fsetxattr(fd, name, bytes, bytes.length, 0) !== 0) throw failure('fsetxattr');
}

/** Reserves room for `length` bytes without changing the file's size; does nothing where the file system cannot. */
export function fallocate(fd: number, length: number): void {
  if (length <= 0 || posixFallocate(fd, FALLOC_FL_KEEP_SIZE, 0, length) === 0) return;
  const errno = koffi.errno();
  if (errno !== ENOSYS && errno !== EOPNOTSUPP) throw failure('fallocate');
}

/** Gives the open file a (further) name. @throws EEXIST, ENOENT and so on by `code`. */
export function linkDescriptor(fd: number, path: string): void {
  if (linkat(AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, path, AT_SYMLINK_FOLLOW) !== 0)
    throw failure('linkat');
}

/**
 * Hands a file's bytes to the disk and waits until it has them: no more than that, the disk may still keep them in its own
 * cache, and how to find them is in the file system's journal at most.
 */
export const writeOut = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    syncFileRange.async(fd, 0, 0, SYNC_FILE_RANGE_ALL, (error: unknown, status: number) => {
      if (error) reject(error);
      // Of another thread, where errno cannot be asked for.
      else if (status !== 0) reject(Object.assign(new Error('EIO: sync_file_range failed'), { code: 'EIO' }));
      else resolve();
    });
  });

/** Lets the page cache forget part of a file that nobody will read soon. */
export const dropCache = (fd: number, offset: number, length: number): void => {
  fadvise(fd, offset, length, POSIX_FADV_DONTNEED);
};
