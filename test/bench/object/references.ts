import {
  closeSync,
  constants,
  createReadStream,
  fsync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';

const sync = promisify(fsync);

/** What the machine allows: files written and synced side by side, `copies` of each. Files a second. */
export async function writeAndSync(
  folder: string,
  options: { size: number; copies: number; parallel: number; seconds: number },
): Promise<number> {
  const root = join(folder, 'plain');
  mkdirSync(root, { recursive: true });
  const bytes = Buffer.alloc(options.size, 7);
  const started = performance.now();
  const deadline = started + options.seconds * 1000;
  let done = 0;
  const one = async (path: string) => {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    writeSync(fd, bytes);
    await sync(fd);
    closeSync(fd);
  };
  const worker = async (id: number) => {
    for (let i = 0; performance.now() < deadline; i++) {
      await Promise.all(
        Array.from({ length: options.copies }, (_, copy) => one(join(root, `${id}-${i}-${copy}`))),
      );
      done++;
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, (_, id) => worker(id)));
  const seconds = (performance.now() - started) / 1000;
  rmSync(root, { recursive: true });
  return done / seconds;
}

/** A server that streams files of a folder and does nothing else. */
export async function staticServer(
  folder: string,
  files: Record<string, number>,
): Promise<{ port: number; server: Server }> {
  mkdirSync(folder, { recursive: true });
  for (const [name, size] of Object.entries(files)) writeFileSync(join(folder, name), Buffer.alloc(size, 7));
  const server = createServer((request, response) => {
    const path = join(folder, (request.url ?? '/').slice(1));
    const { size } = statSync(path);
    response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' });
    createReadStream(path, { highWaterMark: 262_144 }).pipe(response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as { port: number }).port, server };
}
