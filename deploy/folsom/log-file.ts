import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs';

/** One log file and its predecessor are kept, each at most this large. */
export const LOG_FILE_BYTES_MAX = 256 * 1024 * 1024;
const BUFFER_CHARS_MAX = 64 * 1024;
const FLUSH_MS = 100;

export interface LogFile {
  write(line: string): void;
  flush(): void;
  close(): void;
}

/** Appends lines in batches, so that a request never waits for the disk; what is buffered is written at exit. */
export function openLogFile(path: string, bytesMax = LOG_FILE_BYTES_MAX): LogFile {
  let fd = openSync(path, 'a', 0o600);
  let { size } = statSync(path);
  let buffered: string[] = [];
  let chars = 0;
  const flush = () => {
    if (buffered.length === 0) return;
    const text = buffered.join('');
    buffered = [];
    chars = 0;
    try {
      size += writeSync(fd, text);
      if (size > bytesMax) {
        closeSync(fd);
        renameSync(path, `${path}.1`);
        fd = openSync(path, 'a', 0o600);
        size = 0;
      }
    } catch {
      // A full disk must not end the services that could still free it.
    }
  };
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();
  process.once('exit', flush);
  return {
    write: line => {
      buffered.push(line);
      chars += line.length;
      if (chars > BUFFER_CHARS_MAX) flush();
    },
    flush,
    close: () => {
      clearInterval(timer);
      flush();
      closeSync(fd);
      process.off('exit', flush);
    },
  };
}
