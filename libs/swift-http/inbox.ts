import net from 'node:net';
import { lendSlab, SLAB_BYTES, takeSlab } from './slabs.ts';

/**
 * Where all connections of the process read into, one after the other: whoever is given a piece of it uses or copies it
 * at once. Node would take new memory for each read, 64 KiB at most, whatever comes.
 */
const inbox = Buffer.alloc(SLAB_BYTES);

/** From this size on a copy gets a slab: smaller ones come from the heap without new pages. */
const SLAB_PIECE_MIN = SLAB_BYTES / 4;

/** What was received, in memory that it may stay in; its reader frees it (see `free` of bodies). */
export function keepPiece(piece: Buffer): Buffer {
  if (piece.buffer !== inbox.buffer) return piece;
  if (piece.length < SLAB_PIECE_MIN) return Buffer.from(piece);
  const slab = takeSlab();
  piece.copy(slab.bytes);
  return lendSlab(slab, piece.length);
}

/** The option `onread` of a socket that reads into the inbox. */
const readingInto = (take: (piece: Buffer) => void): net.OnReadOpts => ({
  buffer: inbox,
  callback: length => {
    take(inbox.subarray(0, length));
    return true;
  },
});

/**
 * The connection of a socket that a server has accepted, as a socket that reads into the inbox, which servers cannot be
 * told to make. Null where it cannot be had (TLS): then the socket itself serves.
 */
export function readIntoInbox(accepted: net.Socket, take: (piece: Buffer) => void): net.Socket | null {
  const shell = accepted as net.Socket & {
    _handle?: { useUserBuffer?: unknown } | null;
    encrypted?: boolean;
  };
  const handle = shell._handle;
  if (shell.encrypted || typeof handle?.useUserBuffer !== 'function') return null;
  shell._handle = null;
  const options = { handle, allowHalfOpen: true, onread: readingInto(take) };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  accepted.destroy();
  return socket;
}
