import { constants } from 'node:fs';
import { access, mkdir, open, rm, stat } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isDiskFull, requireRoom } from '@folsom/core';
import { hostOfPort, type PortName, type Ports } from './layout.ts';

/** A reason not to start, as one clear sentence for the person at the terminal. */
export class CannotStart extends Error {}

/** Makes the state directory (0700) and its folders; refuses one that cannot be used. */
export async function prepareStateDir(dir: string, folders: readonly string[]): Promise<void> {
  try {
    const existing = await stat(dir).catch(() => undefined);
    if (existing && !existing.isDirectory())
      throw new CannotStart(`the state directory ${dir} is not a directory`);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
    const probe = await open(`${dir}/.probe`, 'w', 0o600);
    await probe.close();
    await rm(`${dir}/.probe`);
  } catch (error) {
    throw explainFileError(error, dir);
  }
  await requireRoom(dir).catch((error: Error) => {
    throw new CannotStart(error.message);
  });
}

/** One sentence for what went wrong with a file or a database; passes other errors through. */
export function explainFileError(error: unknown, path: string): Error {
  if (error instanceof CannotStart) return error;
  if (isDiskFull(error)) return new CannotStart(`the disk of ${path} is full`);
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return new CannotStart(`no permission to use the state directory ${path}`);
    case 'EROFS':
      return new CannotStart(`the state directory ${path} is on a read-only file system`);
    case 'ENOTDIR':
      return new CannotStart(`the state directory ${path} is not a directory`);
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return new CannotStart(
        `the database ${path} is damaged; restore it from a copy, or remove it to start afresh`,
      );
    default:
      return error instanceof Error ? error : new Error(message);
  }
}

/** Refuses an address this machine does not have. */
export function checkHostAddress(host: string): void {
  if (host === '0.0.0.0' || host.startsWith('127.')) return;
  const addresses = Object.values(networkInterfaces()).flatMap(list =>
    (list ?? []).map(entry => entry.address),
  );
  if (!addresses.includes(host)) {
    throw new CannotStart(`this machine has no address ${host} (it has ${addresses.join(', ')})`);
  }
}

/** Names every port that another program holds, or that this user may not open, at once, before anything is started. */
export async function checkPorts(host: string, ports: Ports, names: readonly PortName[]): Promise<void> {
  const why = await Promise.all(
    names.map(async name => ({
      port: `${ports[name]} (${name})`,
      error: await listenError(hostOfPort(name, host), ports[name]),
    })),
  );
  const closed = why.filter(({ error }) => error === 'EACCES').map(({ port }) => port);
  if (closed.length > 0)
    throw new CannotStart(
      `only root may open ${subject(closed)} on ${host}; choose higher ones with --ports-offset N`,
    );
  const taken = why.filter(({ error }) => error !== undefined).map(({ port }) => port);
  if (taken.length > 0)
    throw new CannotStart(
      `${subject(taken)} on ${host} ${taken.length === 1 ? 'is' : 'are'} in use by another program; ` +
        'stop it, or choose other ports with --ports-offset N',
    );
}

const subject = (ports: readonly string[]): string =>
  `port${ports.length === 1 ? '' : 's'} ${[...ports].sort().join(', ')}`;

/** The code of what keeps this process from listening there; undefined where nothing does. */
const listenError = (host: string, port: number): Promise<string | undefined> =>
  new Promise(resolve => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });

/** Whether something answers there within `timeoutMs`. */
export const isOpen = (host: string, port: number, timeoutMs = 500): Promise<boolean> =>
  new Promise(resolve => {
    const socket = createConnection({ host, port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
