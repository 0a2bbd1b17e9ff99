import { closeSync } from 'node:fs';
import koffi from 'koffi';

/** Sends datagrams to a UNIX socket such as `/dev/log`, which Node itself cannot. */
export interface DatagramSender {
  /** False if nobody takes it, now or any more; never waits. */
  send(text: string): boolean;
  close(): void;
}

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const connect = libc.func('int connect(int fd, const uint8_t *address, uint32_t length)');
const send = libc.func('int64_t send(int fd, const uint8_t *bytes, size_t length, int flags)');

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const PATH_BYTES_MAX = 107;

function connectTo(path: string): number {
  const bytes = Buffer.from(path);
  if (bytes.length > PATH_BYTES_MAX) return -1;
  const address = Buffer.alloc(3 + bytes.length);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) as number;
  if (fd < 0) return -1;
  if (connect(fd, address, address.length) === 0) return fd;
  closeSync(fd);
  return -1;
}

/** Null when nobody listens at the path. A listener that is started anew is found again. */
export function openDatagramSender(path: string): DatagramSender | null {
  let fd = connectTo(path);
  if (fd < 0) return null;
  const trySend = (bytes: Buffer): boolean => Number(send(fd, bytes, bytes.length, MSG_NOSIGNAL)) >= 0;
  return {
    send: text => {
      const bytes = Buffer.from(text);
      if (fd >= 0 && trySend(bytes)) return true;
      if (fd >= 0) closeSync(fd);
      fd = connectTo(path);
      return fd >= 0 && trySend(bytes);
    },
    close: () => {
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}
