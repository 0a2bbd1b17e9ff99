import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';

export const FAKE_ACCESS = 'AKIDEXAMPLE';
/** With what breaks addresses that are put together carelessly. */
export const FAKE_SECRET = 'se/cret+@key';

/** An S3 service for tests that takes what is signed right (version 2), and nothing else. */
export interface FakeS3 {
  /** `127.0.0.1:PORT` */
  host: string;
  /** Objects by bucket and key. */
  buckets: Map<string, Map<string, Buffer>>;
  /** Requests that were refused, for their signature or their date. */
  refused: number;
  /** What is answered instead of the MD5 of an object. */
  etag: string | null;
  close(): Promise<void>;
}

const DATE_MS = 15 * 60_000;

/** Whether the request is signed as RFC 2104 and the service's documentation of 2006 have it. */
function isSigned(request: IncomingMessage): boolean {
  const {
    authorization = '',
    date = '',
    'content-type': type = '',
    'content-md5': md5 = '',
  } = request.headers;
  const [access, signature] = authorization.replace(/^AWS /, '').split(':');
  if (access !== FAKE_ACCESS || Math.abs(Date.parse(date) - Date.now()) > DATE_MS) return false;
  const text = [request.method, md5, type, date, request.url?.split('?', 1)[0]].join('\n');
  return createHmac('sha1', FAKE_SECRET).update(text).digest('base64') === signature;
}

export async function startFakeS3(): Promise<FakeS3> {
  const fake: FakeS3 = {
    host: '',
    buckets: new Map(),
    refused: 0,
    etag: null,
    close: () => new Promise(resolve => server.close(() => resolve())),
  };
  const answer = (
    request: IncomingMessage,
    body: Buffer,
  ): { status: number; body?: Buffer; etag?: string } => {
    const [bucketName = '', key = ''] = (request.url ?? '').slice(1).split('/').map(decodeURIComponent);
    const bucket = fake.buckets.get(bucketName);
    if (key === '' && request.method === 'PUT') {
      fake.buckets.set(bucketName, bucket ?? new Map<string, Buffer>());
      return { status: 200 };
    }
    if (bucket === undefined) return { status: 404 };
    if (key === '') return { status: 200 };
    if (request.method === 'PUT') {
      bucket.set(key, body);
      return { status: 200, etag: fake.etag ?? createHash('md5').update(body).digest('hex') };
    }
    const found = bucket.get(key);
    if (found === undefined) return { status: 404 };
    if (request.method !== 'DELETE') return { status: 200, body: found };
    bucket.delete(key);
    return { status: 204 };
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (!isSigned(request)) {
      fake.refused += 1;
      response.writeHead(403).end();
      return;
    }
    const { status, body, etag } = answer(request, Buffer.concat(chunks));
    response.writeHead(status, {
      ...(body ? { 'content-length': String(body.byteLength) } : {}),
      ...(etag ? { etag: `"${etag}"` } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  fake.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return fake;
}
