import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { imageHeaders, startThrowaway, type Throwaway, type ThrowawayOptions } from '@folsom/image/testing';
import { afterEach, describe, expect, it } from 'vitest';

const OCTETS = { 'content-type': 'application/octet-stream' };
const started: Throwaway[] = [];
afterEach(async () => {
  for (const image of started.splice(0)) await image.stop();
});
const start = async (options: ThrowawayOptions = {}): Promise<Throwaway> => {
  const image = await startThrowaway(options);
  started.push(image);
  return image;
};

describe('advisory 42 (CVE-2014-9623, CVE-2015-5286): deleting during an upload leaves no bytes', () => {
  const CHUNKS = 6;
  for (const version of ['v1', 'v2'] as const) {
    it(`at each chunk, ${version}`, async () => {
      const image = await start();
      for (let at = 0; at <= CHUNKS; at++) {
        const reserved =
          version === 'v1'
            ? (await image.call('POST', '/v1/images', { headers: { 'x-image-meta-name': 'q' } })).json().image
                .id
            : (await image.call('POST', '/v2/images', { body: {} })).json().id;
        const path = version === 'v1' ? `/v1/images/${reserved}` : `/v2/images/${reserved}/file`;
        const status = await sendSlowly(
          image,
          path,
          version === 'v1' ? imageHeaders() : OCTETS,
          CHUNKS,
          async chunk => {
            if (chunk !== at) return;
            const gone = await image.call('DELETE', `/${version}/images/${reserved}`);
            expect([200, 204]).toContain(gone.status);
          },
        );
        if (at < CHUNKS) expect(status === null || status >= 400, String(status)).toBe(true);
        await expect.poll(() => image.files()).toEqual([]);
        await expect.poll(() => readdir(join(image.images, '.incoming'))).toEqual([]);
        const row = (await image.db.knex('images').where({ id: reserved }).first())!;
        expect([row.status, Number(row.deleted)]).toEqual(['deleted', 1]);
      }
    });
  }

  it.each(['v1', 'v2'] as const)(
    'a token that ends in the middle leaves no bytes without an image, %s',
    async version => {
      const ended = new Set<string>();
      const image = await start({ remote: true, ended });
      const { id } = (
        version === 'v1'
          ? (await image.call('POST', '/v1/images', { headers: { 'x-image-meta-name': 'q' } })).json().image
          : (await image.call('POST', '/v2/images', { body: {} })).json()
      ) as { id: string };
      const [path, headers] =
        version === 'v1' ? [`/v1/images/${id}`, imageHeaders()] : [`/v2/images/${id}/file`, OCTETS];
      const status = await sendSlowly(image, path, headers, CHUNKS, async chunk => {
        if (chunk !== 3) return;
        // On a busy machine the upload may not have begun by then.
        await expect.poll(() => readdir(join(image.images, '.incoming'))).toHaveLength(1);
        ended.add('alice');
      });
      const row = (await image.db.knex('images').where({ id }).first())!;
      const files = await image.files();
      const stored = [201, `file://${image.images}/${id}`, [id]];
      if (version === 'v1') expect([status, row.status, files]).toEqual([401, 'killed', []]);
      else expect([status, row.location, files]).toEqual(stored);
      expect((await image.call('DELETE', `/${version}/images/${id}`)).status).toBe(401);
      ended.clear();
      await image.call('DELETE', `/${version}/images/${id}`);
      expect(await image.files()).toEqual([]);
      expect(await readdir(join(image.images, '.incoming'))).toEqual([]);
    },
  );

  it('a client that goes away in the middle leaves a killed image and no bytes', async () => {
    const image = await start();
    const { id } = (await image.call('POST', '/v1/images', { headers: { 'x-image-meta-name': 'q' } })).json()
      .image;
    await sendSlowly(image, `/v1/images/${id}`, imageHeaders(), CHUNKS, async (chunk, cut) => {
      if (chunk !== 3) return;
      await expect.poll(() => readdir(join(image.images, '.incoming'))).toHaveLength(1);
      cut();
    });
    await expect
      .poll(async () => (await image.db.knex('images').where({ id }).first())!.status)
      .toBe('killed');
    await expect.poll(() => readdir(join(image.images, '.incoming'))).toEqual([]);
    expect(await image.files()).toEqual([]);
  });
});

/** Sends a chunked PUT, calling back before each chunk and before the end. Resolves to the status, null without an answer. */
async function sendSlowly(
  image: Throwaway,
  path: string,
  headers: Record<string, string>,
  chunks: number,
  before: (chunk: number, cut: () => void) => Promise<void>,
): Promise<number | null> {
  const { hostname, port } = new URL(image.api);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', data => {
    answer += data;
  });
  socket.on('error', () => {});
  const closed = new Promise<void>(resolve => socket.on('close', () => resolve()));
  const lines = Object.entries({ 'x-auth-token': 'alice', host: 'x', connection: 'close', ...headers });
  socket.write(
    `PUT ${path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`,
  );
  const pause = () => new Promise(resolve => setTimeout(resolve, 25));
  for (let chunk = 0; chunk <= chunks; chunk++) {
    await pause();
    await before(chunk, () => socket.destroy());
    if (socket.destroyed) break;
    socket.write(chunk < chunks ? `2710\r\n${'x'.repeat(10_000)}\r\n` : '0\r\n\r\n');
  }
  await Promise.race([closed, new Promise(resolve => setTimeout(resolve, 5000))]);
  socket.destroy();
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
  return status === undefined ? null : Number(status);
}
