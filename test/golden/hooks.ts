import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The replayer sets services up otherwise through a command; this is the command's other end, in the test's process. */
export interface Hooks {
  /** For `replayRecordings`: ends with 0 when the hook named by its last word has done its work. */
  command: string;
  close(): void;
}

export async function serveHooks(run: (name: string) => Promise<void>): Promise<Hooks> {
  const server: Server = createServer((request, response) => {
    const done = (status: number, text = '') => response.writeHead(status).end(text);
    run((request.url ?? '/').slice(1)).then(
      () => done(200),
      error => done(500, String(error)),
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const script = `fetch("http://127.0.0.1:${port}/" + process.argv[1]).then(r => process.exit(r.ok ? 0 : 1))`;
  return { command: `${process.execPath} -e '${script}' --`, close: () => server.close() };
}
