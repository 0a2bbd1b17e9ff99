import type { Socket } from 'node:net';
import { clearInterval, setInterval } from 'node:timers';
import type { WebSocket } from 'ws';
import { CONSOLE_LIMITS } from './limits.ts';

/**
 * Carries bytes between a browser and a guest's screen until either side ends. Browsers of 2012 speak `base64`
 * (text frames), later ones binary. A side that does not keep up slows the other one down.
 */
export function relay(client: WebSocket, vnc: Socket): Promise<void> {
  const base64 = client.protocol === 'base64';
  let alive = true;
  return new Promise(resolve => {
    const ping = setInterval(() => {
      if (!alive) return client.terminate();
      alive = false;
      client.ping();
    }, CONSOLE_LIMITS.pingMs);
    const end = () => {
      clearInterval(ping);
      vnc.destroy();
      if (client.readyState === client.OPEN) client.close(1000);
      resolve();
    };

    vnc.on('data', (chunk: Buffer) => {
      client.send(base64 ? chunk.toString('base64') : chunk, () => {
        if (vnc.isPaused() && client.bufferedAmount < CONSOLE_LIMITS.bufferedBytesMax / 2) vnc.resume();
      });
      if (client.bufferedAmount > CONSOLE_LIMITS.bufferedBytesMax) vnc.pause();
    });
    vnc.on('drain', () => client.resume());
    vnc.once('end', end);
    vnc.once('close', end);
    vnc.on('error', end);

    client.on('message', (data: Buffer) => {
      alive = true;
      const bytes = base64 ? Buffer.from(data.toString('latin1'), 'base64') : data;
      if (!vnc.write(bytes)) client.pause();
    });
    client.on('pong', () => {
      alive = true;
    });
    client.once('close', end);
    client.on('error', end);
    vnc.resume();
  });
}
