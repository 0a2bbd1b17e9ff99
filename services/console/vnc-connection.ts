import { createConnection, type Socket } from 'node:net';
import type { ConsoleAccess } from '@folsom/nova/rpc/consoleauth';
import { CONSOLE_LIMITS } from './limits.ts';

/** Connects to a guest's screen, through its hypervisor's gateway where there is one. */
export function connectVnc(access: ConsoleAccess): Promise<Socket> {
  const path = access.internal_access_path;
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: access.host, port: Number(access.port), noDelay: true });
    const timer = setTimeout(
      () => socket.destroy(new Error('the console does not answer')),
      CONSOLE_LIMITS.connectMs,
    );
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    const ready = () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.off('data', onData);
      resolve(socket);
    };
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) {
        if (head.length > 4096) socket.destroy(new Error('the console gateway answers nonsense'));
        return;
      }
      if (!/^HTTP\/1\.\d 200/.test(head.toString('latin1', 0, 64))) {
        return void socket.destroy(new Error('the console gateway refuses'));
      }
      socket.pause();
      if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
      ready();
    };
    socket.once('error', fail);
    // A gateway that closes without a word is no error of the connection; once it is open, nobody waits any more.
    socket.once('close', () => fail(new Error('the console closes the connection')));
    socket.once('connect', () => {
      if (!path) return ready();
      if (/[\r\n\s]/.test(path)) return void socket.destroy(new Error('not a path'));
      socket.on('data', onData);
      socket.write(`CONNECT ${path} HTTP/1.1\r\n\r\n`);
    });
  });
}
