import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';

/** First bytes of OpenVPN's handshake: a client's hard reset, and the server's answer to it. */
const CLIENT_RESET = 0x38;
const SERVER_RESET = 0x40;
const SESSION_BYTES = 8;
/** Where the server repeats the client's session. */
const ECHO_AT = 14;
const REQUEST_BYTES = 15;

/** Whether an OpenVPN server answers there within the time. */
export function vpnAnswers(address: string, port: number, timeoutMs: number): Promise<boolean> {
  const session = randomBytes(SESSION_BYTES);
  const request = Buffer.alloc(REQUEST_BYTES);
  request[0] = CLIENT_RESET;
  session.copy(request, 1);
  return new Promise(resolve => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const end = (answered: boolean) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      // What comes late is nobody's.
      socket.on('error', () => {});
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.once('error', () => end(false));
    socket.on('message', answer => {
      const repeated = answer.subarray(ECHO_AT, ECHO_AT + SESSION_BYTES);
      if (answer[0] === SERVER_RESET && repeated.equals(session)) end(true);
    });
    socket.send(request, port, address, error => {
      if (error) end(false);
    });
  });
}
