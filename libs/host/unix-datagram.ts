import { closeSync } from 'node:fs';
import koffi from 'koffi';

/** Sends datagrams to a UNIX socket such as `/dev/log`, which Node itself cannot. */
export interface DatagramSender {
  /**
   * Takes a text, which goes out within {@link FLUSH_MS} together with others: a call of the kernel for each would cost
   * a server as much as a tenth of a request. Never waits. False if nobody takes it, now or any more.
   */
  send(text: string): boolean;
  /** Sends what is left, also at the end of the process; waits a little for a listener that is behind. */
  close(): void;
}

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const connect = libc.func('int connect(int fd, const uint8_t *address, uint32_t length)');
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)',
);
const sendmmsg = libc.func('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)');

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;
const PATH_BYTES_MAX = 107;

const FLUSH_MS = 10;
/** A listener that is behind is asked again so soon. */
const AGAIN_MS = 1;
/** How long the end of the process waits for one that takes nothing, in seconds. */
const LAST_WAIT_S = 2n;
/** What waits at most. */
const TEXTS_MAX = 1024;
const BYTES_MAX = 256 * 1024;
/** So many are sent without waiting for more. */
const FLUSH_TEXTS = 64;
/** Bytes that a character of a text takes at most. */
const CHAR_BYTES_MAX = 3;
/** Sizes of C's structures on a machine of 64 bits. */
const MMSGHDR_BYTES = 64;
const IOVEC_BYTES = 16;

function connectTo(path: string): number {
  const bytes = Buffer.from(path);
  if (bytes.length > PATH_BYTES_MAX) return -1;
  const address = Buffer.alloc(3 + bytes.length);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
  if (fd < 0) return -1;
  const wait = Buffer.alloc(16);
  wait.writeBigInt64LE(LAST_WAIT_S, 0);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, wait, wait.length);
  if (connect(fd, address, address.length) === 0) return fd;
  closeSync(fd);
  return -1;
}

/** Texts that wait, laid out as sendmmsg(2) wants them. */
function outbox() {
  // One object, which the functions below hold on to: the kernel is given addresses, which keep no memory from going.
  const memory = {
    bytes: Buffer.allocUnsafeSlow(BYTES_MAX),
    pieces: Buffer.alloc(TEXTS_MAX * IOVEC_BYTES),
    messages: Buffer.alloc(TEXTS_MAX * MMSGHDR_BYTES),
  };
  const bytesAt = koffi.address(memory.bytes) as bigint;
  const piecesAt = koffi.address(memory.pieces) as bigint;
  const messagesAt = koffi.address(memory.messages) as bigint;
  for (let i = 0; i < TEXTS_MAX; i++) {
    memory.messages.writeBigUInt64LE(piecesAt + BigInt(i * IOVEC_BYTES), i * MMSGHDR_BYTES + 16);
    memory.messages.writeBigUInt64LE(1n, i * MMSGHDR_BYTES + 24);
  }
  const starts = new Uint32Array(TEXTS_MAX + 1);
  let [sent, count] = [0, 0];
  return {
    get waiting() {
      return count - sent;
    },
    /** False if there is no room. */
    add: (text: string): boolean => {
      const start = starts[count] ?? 0;
      if (count === TEXTS_MAX || start + text.length * CHAR_BYTES_MAX > BYTES_MAX) return false;
      const length = memory.bytes.write(text, start);
      memory.pieces.writeBigUInt64LE(bytesAt + BigInt(start), count * IOVEC_BYTES);
      memory.pieces.writeUInt32LE(length, count * IOVEC_BYTES + 8);
      count++;
      starts[count] = start + length;
      return true;
    },
    /** Hands over as many as are taken; 0, or the errno that keeps the next from going. */
    sendOn: (fd: number, flags: number): number => {
      while (sent < count) {
        const at = messagesAt + BigInt(sent * MMSGHDR_BYTES);
        const taken = sendmmsg(fd, at, count - sent, flags | MSG_NOSIGNAL) as number;
        if (taken > 0) sent += taken;
        else if (koffi.errno() !== EINTR) return koffi.errno();
      }
      [sent, count] = [0, 0];
      return 0;
    },
    /** The texts that wait, which are forgotten here. */
    takeBack: (): string[] => {
      const texts: string[] = [];
      for (let i = sent; i < count; i++) texts.push(memory.bytes.toString('utf8', starts[i], starts[i + 1]));
      [sent, count] = [0, 0];
      return texts;
    },
  };
}

/**
 * Null when nobody listens at the path. A listener that is started anew is found again.
 * @param lost is given every text that was taken and that nobody wants in the end
 */
export function openDatagramSender(path: string, lost: (text: string) => void): DatagramSender | null {
  let fd = connectTo(path);
  if (fd < 0) return null;
  const box = outbox();
  let timer: NodeJS.Timeout | null = null;
  const soon = (ms: number): void => {
    timer ??= setTimeout(() => {
      timer = null;
      flush(false);
    }, ms).unref();
  };
  const attempt = (wait: boolean): number => (fd < 0 ? -1 : box.sendOn(fd, wait ? 0 : MSG_DONTWAIT));
  const connectAnew = (): void => {
    if (fd >= 0) closeSync(fd);
    fd = connectTo(path);
  };
  function flush(last: boolean): void {
    if (box.waiting === 0) return;
    let errno = attempt(last);
    if (errno !== 0 && errno !== EAGAIN && errno !== ENOBUFS) {
      connectAnew();
      errno = attempt(last);
    }
    if (errno === 0) return;
    if (!last && (errno === EAGAIN || errno === ENOBUFS)) soon(AGAIN_MS);
    else for (const text of box.takeBack()) lost(text);
  }
  const atExit = (): void => flush(true);
  // Before the others: what is lost may go to an output that is flushed at the end, too.
  process.prependOnceListener('exit', atExit);
  return {
    send: text => {
      if (fd < 0) connectAnew();
      if (fd < 0) return false;
      if (!box.add(text)) {
        flush(false);
        if (!box.add(text)) return false;
      }
      if (box.waiting === FLUSH_TEXTS) flush(false);
      soon(FLUSH_MS);
      return true;
    },
    close: () => {
      process.off('exit', atExit);
      if (timer) clearTimeout(timer);
      timer = null;
      flush(true);
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}
