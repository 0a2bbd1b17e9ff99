import { createConnection, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { CONSOLE_LIMITS } from './limits.ts';
import type { TokenStore } from './token-store.ts';

/**
 * Tokens in memcached, so that they outlive this process and several can share them; the text protocol, with the keys
 * and the spread over servers that Folsom's client uses.
 */
export function memcachedTokenStore(servers: readonly string[]): TokenStore {
  const connections = servers.map(connection);
  const serverOf = (key: string) => connections[((crc32(key) >>> 16) & 0x7fff || 1) % connections.length]!;
  return {
    async get(key) {
      const answer = await serverOf(key)(`get ${checked(key)}\r\n`);
      if (answer === 'END\r\n') return undefined;
      const [head = ''] = answer.split('\r\n', 1);
      const length = Number(head.split(' ')[3]);
      return Buffer.from(answer, 'latin1')
        .subarray(head.length + 2, head.length + 2 + length)
        .toString('utf8');
    },
    async set(key, value, ttlS) {
      const bytes = Buffer.from(value, 'utf8');
      const answer = await serverOf(key)(
        `set ${checked(key)} 0 ${ttlS} ${bytes.length}\r\n${bytes.toString('latin1')}\r\n`,
      );
      if (answer !== 'STORED\r\n') throw new Error(`memcached: ${answer.trim()}`);
    },
    async delete(key) {
      await serverOf(key)(`delete ${checked(key)}\r\n`);
    },
    async close() {},
  };
}

/** A key with a blank or a line end in it would be another command. */
function checked(key: string): string {
  if (!/^[\x21-\x7e]{1,250}$/.test(key)) throw new Error('memcached: not a key');
  return key;
}

/** One connection for each command: consoles are opened seldom, and nothing can get out of step. */
function connection(server: string): (command: string) => Promise<string> {
  const [, host = '127.0.0.1', port = '11211'] = /^(.*?)(?::(\d+))?$/.exec(server) ?? [];
  return command =>
    new Promise((resolve, reject) => {
      let answer = '';
      const socket: Socket = createConnection({ host, port: Number(port) });
      socket.setEncoding('latin1');
      socket.setTimeout(CONSOLE_LIMITS.memcachedMs, () =>
        socket.destroy(new Error('memcached does not answer')),
      );
      socket.once('connect', () => socket.write(command, 'latin1'));
      socket.on('data', (text: string) => {
        answer += text;
        const whole = answer.startsWith('VALUE ') ? answer.endsWith('\r\nEND\r\n') : answer.endsWith('\r\n');
        if (!whole) return;
        resolve(answer);
        socket.destroy();
      });
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('memcached closed the connection')));
    });
}
