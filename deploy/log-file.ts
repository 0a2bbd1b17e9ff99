import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs';

/** One log file and its predecessor are kept, each at most this large. */
export const LOG_FILE_BYTES_MAX = 256 * 1024 * 1024;
const BUFFER_CHARS_MAX = 64 * 1024;
const FLUSH_MS = 100;

/** Where lines go, many at a time: a write for each request would cost as much as the request. */
export interface LogOutput {
  write(line: string): void;
  flush(): void;
  close(): void;
}

/** Of the outputs that are open: one listener for all of them, however many files a process has. */
const flushes = new Set<() => void>();

function flushAll(): void {
  for (const flush of flushes) {
    try {
      flush();
    } catch {
      // What one cannot write must not keep back what the others can.
    }
  }
}

function flushAtExit(flush: () => void): void {
  if (flushes.size === 0) process.once('exit', flushAll);
  flushes.add(flush);
}

function notAtExit(flush: () => void): void {
  flushes.delete(flush);
  if (flushes.size === 0) process.off('exit', flushAll);
}

/** Hands lines on in batches; what is left goes out at exit. */
function inBatches(put: (text: string) => void): LogOutput {
  let buffered: string[] = [];
  let chars = 0;
  const flush = () => {
    if (buffered.length === 0) return;
    const text = buffered.join('');
    buffered = [];
    chars = 0;
    put(text);
  };
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();
  flushAtExit(flush);
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
      notAtExit(flush);
    },
  };
}

export const standardError = (): LogOutput => inBatches(text => void process.stderr.write(text));

/**
 * Appends to a file. One that grows too large becomes `PATH.1`; one that was moved away or deleted (logrotate) is begun
 * anew. Throws the file system's error when it cannot be opened.
 */
export function openLogFile(path: string, bytesMax = LOG_FILE_BYTES_MAX): LogOutput {
  const open = () => {
    const opened = openSync(path, 'a', 0o600);
    const { size, ino } = statSync(path);
    return { fd: opened, size, ino };
  };
  let file = open();
  const reopen = () => {
    // The new one first: where there can be none, as its folder is gone, the old one is kept.
    const next = open();
    closeSync(file.fd);
    file = next;
  };
  const output = inBatches(text => {
    try {
      if (statSync(path, { throwIfNoEntry: false })?.ino !== file.ino) reopen();
      file.size += writeSync(file.fd, text);
      if (file.size > bytesMax) {
        renameSync(path, `${path}.1`);
        reopen();
      }
    } catch {
      // A full disk must not end the services that could still free it.
    }
  });
  return {
    ...output,
    close: () => {
      output.close();
      closeSync(file.fd);
    },
  };
}
