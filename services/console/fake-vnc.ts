import { createServer, type Server, type Socket } from 'node:net';

export interface FakeVnc {
  port: number;
  /** Bytes clients have sent after their handshake. */
  received(): Buffer;
  sockets: Set<Socket>;
  stop(): Promise<void>;
}

const WIDTH = 64;
const HEIGHT = 48;
/** Red, green, blue, unused, as noVNC asks for them: what the screen shows all over. */
const PIXEL = [0x20, 0x40, 0xc0, 0x00];

/** A VNC server for tests: no password, one colour. `greet` false makes it a plain echo without a protocol. */
export async function fakeVnc(options: { greet?: boolean } = {}): Promise<FakeVnc> {
  const sockets = new Set<Socket>();
  const kept: Buffer[] = [];
  const server: Server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    if (options.greet === false) {
      socket.on('data', chunk => {
        kept.push(chunk);
        socket.write(chunk);
      });
    } else speak(socket, kept);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    received: () => Buffer.concat(kept),
    sockets,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}

function speak(socket: Socket, kept: Buffer[]): void {
  let step = 0;
  let buffer = Buffer.alloc(0);
  socket.write('RFB 003.008\n');
  socket.on('data', chunk => {
    buffer = Buffer.concat([buffer, chunk]);
    if (step === 0 && buffer.length >= 12) {
      buffer = buffer.subarray(12);
      step = 1;
      socket.write(Buffer.from([1, 1]));
    }
    if (step === 1 && buffer.length >= 1) {
      buffer = buffer.subarray(1);
      step = 2;
      socket.write(Buffer.from([0, 0, 0, 0]));
    }
    if (step === 2 && buffer.length >= 1) {
      buffer = buffer.subarray(1);
      step = 3;
      socket.write(serverInit());
    }
    if (step === 3 && buffer.length > 0) {
      kept.push(buffer);
      // FramebufferUpdateRequest: answered with the whole screen, as raw pixels.
      for (let at = 0; at + 10 <= buffer.length; at++) {
        if (buffer[at] === 3 && buffer.readUInt16BE(at + 6) === WIDTH) socket.write(update());
      }
      buffer = Buffer.alloc(0);
    }
  });
}

function serverInit(): Buffer {
  const name = Buffer.from('guest <b>1</b>');
  const head = Buffer.alloc(24);
  head.writeUInt16BE(WIDTH, 0);
  head.writeUInt16BE(HEIGHT, 2);
  head.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
  head.writeUInt32BE(name.length, 20);
  return Buffer.concat([head, name]);
}

function update(): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(WIDTH, 8);
  head.writeUInt16BE(HEIGHT, 10);
  return Buffer.concat([head, Buffer.concat(Array(WIDTH * HEIGHT).fill(Buffer.from(PIXEL)))]);
}
