import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { Fault } from '@folsom/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CacheFill } from './cache/cache.ts';
import { imageFault } from './faults.ts';
import type { ApiParts } from './parts.ts';
import { fileStream, freeChunk } from './stores/chunks.ts';

/** What may be on its way to a client: a download's memory. */
const UNSENT_BYTES_MAX = 2 * 1024 * 1024;

export interface Download {
  imageId: string;
  ownerId: string | null;
  location: string | null;
  /** Bytes as the database has them. */
  size: number | null;
  checksum: string | null;
}

export interface OpenedDownload {
  data: Readable;
  /** Bytes, or null when neither the store nor the database knows. */
  size: number | null;
  fill: CacheFill | null;
}

/** Opens an image's bytes, from the cache if they are there. What the caller may see was checked before. */
export async function openDownload(
  parts: ApiParts,
  request: FastifyRequest,
  image: Download,
): Promise<OpenedDownload> {
  const { cache } = parts;
  const cached = (await cache?.lookup(image.imageId)) ?? null;
  if (cache && cached !== null) {
    const file = await cache.open(image.imageId);
    if (file) {
      return { data: fileStream(file, cached), size: cached, fill: null };
    }
  }
  if (!image.location) throw imageFault('ImageDataNotFound', { detail: 'No image data could be found' });
  try {
    const store = parts.stores.forLocation(image.location);
    const opened = await store.get(image.location, request.image);
    const size = opened.size ?? image.size;
    const fill = (await cache?.fill(image.imageId, size, image.checksum)) ?? null;
    return { data: opened.data, size, fill };
  } catch (error) {
    if (error instanceof Fault && error.name === 'ImageDataNotFound') {
      throw imageFault('ImageDataNotFound', { explanation: error.message, cause: error });
    }
    parts.world.log.error('the data of an image could not be opened', { image: image.imageId, error });
    if (error instanceof Fault)
      throw imageFault('StoreUnavailable', { explanation: error.message, cause: error });
    throw error;
  }
}

/**
 * Sends the bytes as they come, at the client's pace. When there are fewer or more than was announced the connection is cut:
 * the client must not take a damaged image for a whole one.
 */
export async function sendDownload(
  parts: ApiParts,
  request: FastifyRequest,
  reply: FastifyReply,
  image: Download,
  opened: OpenedDownload,
  headers: Record<string, string>,
): Promise<FastifyReply> {
  const { data, size, fill } = opened;
  const response = reply.raw;
  reply.hijack();
  let sent = 0;
  let complete = false;
  try {
    const all: Record<string, string> = { ...(reply.getHeaders() as Record<string, string>), ...headers };
    if (size !== null) all['Content-Length'] = String(size);
    response.writeHead(200, all);
    response.once('close', () => data.destroy());
    const out = pacedWriter(response, data);
    for await (const part of data) {
      const chunk = part as Buffer;
      const length = chunk.byteLength;
      if (size !== null && sent + length > size) break;
      await fill?.write(chunk);
      // The client is done with the last byte: by then the copy is, too.
      if (sent + length === size) await fill?.commit();
      await out.write(chunk);
      if (response.destroyed) break;
      sent += length;
    }
    await out.sent();
    complete = !response.destroyed && (size === null || sent === size);
    if (complete) {
      if (size === null || size === 0) await fill?.commit();
      response.end();
    } else if (!response.destroyed) {
      parts.world.log.error('the store gave other than the announced bytes of an image', {
        image: image.imageId,
        announced: size,
        sent,
      });
    }
  } catch (error) {
    if (!response.destroyed || !isAbort(error)) {
      parts.world.log.error('sending an image broke off', { image: image.imageId, sent, error });
    }
  } finally {
    if (!complete) {
      response.destroy();
      data.destroy();
      await fill?.abandon();
    }
  }
  parts.notifier.notify(request.image, 'image.send', complete ? 'INFO' : 'ERROR', {
    bytes_sent: sent,
    image_id: image.imageId,
    owner_id: image.ownerId,
    receiver_tenant_id: request.image.projectId,
    receiver_user_id: request.image.userId,
    destination_ip: request.ip,
  });
  return reply;
}

const isAbort = (error: unknown): boolean =>
  ['ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR', 'ECONNRESET', 'EPIPE'].includes(
    String((error as { code?: unknown })?.code),
  );

interface PacedWriter {
  /** Gives a chunk away; resolves when there is room for the next one, or nobody to send it to. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves when all was sent, or nobody is there. */
  sent(): Promise<void>;
}

function pacedWriter(response: ServerResponse, source: Readable): PacedWriter {
  let unsent = 0;
  let wake = () => {};
  const atMost = (bytes: number): Promise<void> =>
    new Promise(resolve => {
      wake = () => {
        if (unsent <= bytes || response.destroyed) resolve();
      };
      wake();
    });
  response.once('close', () => wake());
  return {
    write: chunk => {
      const { byteLength } = chunk;
      unsent += byteLength;
      response.write(chunk, () => {
        unsent -= byteLength;
        freeChunk(source, chunk);
        wake();
      });
      return atMost(UNSENT_BYTES_MAX);
    },
    sent: () => atMost(0),
  };
}
