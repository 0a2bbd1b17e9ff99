import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { type RequestContext, requestContext, systemClock, systemRandom } from '@folsom/core';
import { expect, it } from 'vitest';
import { imageClient } from './image-transfer.ts';

const context: RequestContext = requestContext({}, { clock: systemClock, random: systemRandom });

it('reads glance_api_servers as host:port and as URLs, and asks the next one when one is away', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(200, { 'x-image-meta-id': 'i', 'x-image-meta-status': 'active' }).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    for (const servers of [
      [`127.0.0.1:${port}`],
      [`http://127.0.0.1:${port}`],
      [`HTTP://127.0.0.1:${port}/`],
      ['http://127.0.0.1:1', `http://127.0.0.1:${port}`],
    ]) {
      expect(await imageClient({ servers }).show(context, 'i')).toMatchObject({ id: 'i', status: 'active' });
    }
    expect(asked).toEqual(Array(4).fill('/v1/images/i'));
    await expect(imageClient({ servers: ['http://127.0.0.1:1'] }).show(context, 'i')).rejects.toMatchObject({
      name: 'GlanceConnectionFailed',
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

it("reads and writes names and properties in any language, and Python's words, as the API server does", async () => {
  const sent: Record<string, unknown>[] = [];
  const latin = (text: string) => Buffer.from(text).toString('latin1');
  const server = createServer((request, response) => {
    sent.push(request.headers);
    request.resume();
    response
      .writeHead(200, {
        'x-image-meta-id': 'i',
        'x-image-meta-name': latin('Größe'),
        'x-image-meta-checksum': 'None',
        'x-image-meta-created_at': '2012-09-27T10:00:00',
        'x-image-meta-property-kernel_id': 'k',
        'x-image-meta-property-mappings': '[{"virtual": "ami"}]',
      })
      .end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    const client = imageClient({ servers: [`127.0.0.1:${port}`] });
    expect(await client.show(context, 'i')).toMatchObject({
      name: 'Größe',
      checksum: null,
      created_at: '2012-09-27T10:00:00.000000',
      properties: { kernel_id: 'k', mappings: [{ virtual: 'ami' }] },
    });
    const facts = { disk_format: 'raw', size: 1, properties: { note: 'Größe' } };
    await client.upload(context, 'i', facts, Readable.from(['x']));
    expect(sent[1]).toMatchObject({
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-size': '1',
      'x-image-meta-property-note': latin('Größe'),
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
