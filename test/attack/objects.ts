import { createHmac } from 'node:crypto';
import { type Random, seededRandom, systemClock } from '@folsom/core';
import { operations, type SwiftOperation } from '@folsom/object-proxy/operations';
import { parseXml } from '@folsom/wire/xml';
import { type Answer, type AttackedCloud, eachOf, startAttackedCloud } from './cloud.ts';
import { INNER } from './inner.ts';
import type { Part } from './part.ts';

/** Texts for names, parameters and headers; bytes beyond ASCII as the characters of Latin-1 that they are on the wire. */
const TEXTS: readonly string[] = [
  '', ' ', '0', '-1', '1', '10001', '1e9', '99999999999999999999', 'NaN', '0x10', '1.5', 'true', 'None', '/', '//', '.', '..', '../x', 'a/b', '/a', 'a/', '%', '%zz', '%00', '%2F', '%2e%2e',
  '%0d%0aX-Evil: 1', '\xc3\xa9', '\xff\xfe', '\xed\xa0\x80', '<script>evil</script>', '"><script>evil</script>', '&amp;<a', ']]>', "'; DROP TABLE object; --", '%s%n%(x)s', '{"a": 1}', '[]',
  'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(1025), 'x'.repeat(4_097), '.r:*', '.r:*,.rlistings', '.r:-', '.r:', ':', '*:*', '.rlistings,', 'AUTH_x:*', ',,,', 'http://127.0.0.1:6000/d1/1/x',
  'bytes=0-', 'bytes=5-1', 'bytes=-0', 'bytes=0-0,2-3', 'bytes=a-b', '*', '"a"', 'W/"a"', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Thu, 99 Foo 99999 99:99:99 GMT', '1349000000', '9999999999999', 'text/html; charset=x; a="b', 'json', 'xml', 'plain',
  'application/xml;q=x', 'gzip', 'c/thing', 'c', 'thing/', 'm', 'c/m',
]; // biome-ignore format: a table

/** Parameters that no operation declares, and that others' stores give a meaning. */
const FOREIGN_QUERY = ['bulk-delete', 'extract-archive', 'multipart-manifest', 'versionId', 'acl', 'temp_url_sig', 'temp_url_expires', 'path', 'reverse', 'symlink', 'x']; // biome-ignore format: a list
const FOREIGN_HEADERS = [
  'x-static-large-object', 'x-timestamp', 'x-backend-storage-policy-index', 'x-copy-from-account', 'x-container-host', 'x-container-device', 'x-container-partition', 'x-account-host', 'x-if-delete-at', 'x-put-timestamp',
  'x-container-sysmeta-a', 'x-account-access-control', 'x-delete-at-host', 'x-container-meta-web-index', 'x-container-meta-web-listings', 'x-container-meta-web-listings-css', 'x-container-meta-web-error', 'x-account-meta-temp-url-key',
  'transfer-encoding', 'content-length', 'expect', 'x-http-method-override', 'x-object-manifest', 'x-trans-id', 'content-range',
]; // biome-ignore format: a table
/** Bodies for what takes none, or another one: lists of names and an archive whose names lead elsewhere. */
const bodies = (victim: string): readonly string[] => [
  '', 'x', `${victim}/c/thing\n`, `/${victim}/c\n`.repeat(1000), '[{"path": "/c/thing", "etag": null, "size_bytes": -1}]', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', '{'.repeat(10_000),
  tarEntry('../../../../etc/passwd', '0000000001'), tarEntry('a', '77777777777'), tarEntry('a', '-1'), '\0'.repeat(1024),
]; // biome-ignore format: a table

function tarEntry(name: string, size: string): string {
  const head = `${name.padEnd(100, '\0')}0000644\x000000000\x000000000\x00${size.padEnd(12, '\0')}00000000000\0        0`;
  return `${head.padEnd(257, '\0')}ustar\x0000`.padEnd(1536, '\0');
}

interface Stage {
  cloud: AttackedCloud;
  random: Random;
  /** The account under attack, by its owner, and another one that nothing may reach. */
  own: string;
  victim: string;
}

interface Request {
  method: string;
  target: string;
  headers: Record<string, string>;
  body?: string;
  /** Nobody's: signed, or public. */
  anonymous?: boolean;
}

const KEY = 'attack-key';
const SECRET = 'not-for-others';
const pickFrom =
  (random: Random) =>
  <T>(items: readonly T[]) =>
    items[random.int(items.length)]!;
const header = (name: string, text: string): string => name.replace('*', text.replace(/[^\w-]/g, '') || 'a');
const quoted = (text: string): string => text.replace(/[^!-~]|[?#]/g, found => `%${found.charCodeAt(0).toString(16).padStart(2, '0')}`); // biome-ignore format: one expression

/** An operation as it is declared, with something else in some of its parameters and headers. */
function declaredRequest({ random, own, victim }: Stage, operation: SwiftOperation): Request {
  const pick = pickFrom(random);
  const names = { ':account': own, ':container': pick(['c', 'c', 'web', pick(TEXTS)]), ':object': pick(['thing', 'm', pick(TEXTS)]) }; // biome-ignore format: names
  const path = operation.path.replace(/:\w+/g, name => quoted(names[name as keyof typeof names]));
  const query = Array.from({ length: random.int(3) }, () => `${pick([...(operation.query ?? []), ...(random.int(3) ? [] : FOREIGN_QUERY), 'format'])}=${quoted(pick(TEXTS))}`); // biome-ignore format: one expression
  const headers: Record<string, string> = operation.method === 'COPY' ? { destination: 'c/copy' } : {};
  for (let more = random.int(3); more > 0; more--)
    headers[header(pick([...(operation.headers ?? ['x-newest']), ...(random.int(3) ? [] : FOREIGN_HEADERS)]), pick(TEXTS))] = pick(TEXTS).trim(); // biome-ignore format: one expression
  delete headers['content-length'];
  if (headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  const writes = /PUT|POST/.test(operation.method);
  return {
    method: operation.method,
    target: `/v1/${path}${query.length > 0 ? `?${query.join('&')}` : ''}`,
    headers,
    ...(writes || random.int(4) === 0 ? { body: pick(bodies(victim)) } : {}),
  };
}

/** A form that its account's owner has signed, broken in some place. */
function form({ random, own }: Stage): Request {
  const pick = pickFrom(random);
  const path = `/v1/${own}/${pick(['c/form-', 'c/', 'c/form-', quoted(pick(TEXTS))])}`;
  const fields: Record<string, string> = {
    redirect: pick(['', '', 'http://a/', 'http://a/\r\nX-Evil: 1', pick(TEXTS)]),
    max_file_size: pick(['1000', '1000', '0', pick(TEXTS)]),
    max_file_count: pick(['5', '5', '1', pick(TEXTS)]),
    expires: pick([String(Math.floor(systemClock.now() / 1000) + 600), pick(TEXTS)]),
  };
  const lines = [decodeURIComponent(path.replace(/%(?![0-9a-f]{2})/gi, '%25').replace(/%[89a-f][0-9a-f]/gi, '')), ...Object.values(fields)]; // biome-ignore format: one expression
  fields.signature = createHmac('sha1', KEY).update(lines.join('\n'), 'latin1').digest('hex');
  if (random.int(4) === 0) delete fields[pick(Object.keys(fields))];
  const boundary = pick(['b', 'b', 'b'.repeat(70), 'b'.repeat(20_000), 'b b', '--', pick(TEXTS)]);
  const disposition = (name: string, more = '') =>
    `Content-Disposition: form-data; name="${name}"${more}\r\n`;
  const parts = Object.entries(fields).map(([name, value]) => `${disposition(name)}\r\n${value}`);
  for (let files = random.int(4); files > 0; files--)
    parts.push(`${disposition('file', `; filename="${pick(['f', 'a/b', '../../x', pick(TEXTS)])}"`)}Content-Type: ${pick(['text/plain', pick(TEXTS)])}\r\n\r\n${pick(['x', 'y'.repeat(2000), `--${boundary}`, pick(TEXTS)])}`); // biome-ignore format: one expression
  let body = `${parts.map(part => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`;
  const at = random.int(body.length);
  const kind = random.int(6);
  if (kind === 0) body = body.slice(0, at);
  else if (kind === 1)
    body = body.slice(0, at) + pick(['\r\n', '\0', `--${boundary}`, ':', 'a'.repeat(20_000)]) + body.slice(at); // biome-ignore format: one expression
  else if (kind === 2) body = body.replaceAll('\r\n', '\n');
  const type = `multipart/form-data; boundary=${boundary}`.trim();
  return { method: 'POST', target: path, headers: { 'content-type': type }, body, anonymous: true };
}

/** A temporary URL, signed rightly or not, with other parameters beside. */
function temporaryUrl({ random, own, victim }: Stage): Request {
  const pick = pickFrom(random);
  const account = pick([own, own, victim]);
  const method = pick(['GET', 'HEAD', 'PUT', 'POST', 'DELETE']);
  const name = pick(['thing', 'temporary', `../../${victim}/c/thing`, quoted(pick(TEXTS))]);
  const expires = pick([String(Math.floor(systemClock.now() / 1000) + 600), pick(TEXTS)]);
  const path = `/v1/${account}/c/${name}`;
  const signature = pick([createHmac('sha1', KEY).update(`${method}\n${expires}\n${path}`).digest('hex'), pick(TEXTS), '']); // biome-ignore format: one expression
  const more = random.int(2) === 0 ? '' : `&${pick(FOREIGN_QUERY)}=${quoted(pick(TEXTS))}`;
  const headers: Record<string, string> = random.int(2) === 0 ? {} : { [pick(FOREIGN_HEADERS.slice(0, 14))]: pick(TEXTS).trim() }; // biome-ignore format: one expression
  return {
    method,
    target: `${path}?temp_url_sig=${quoted(signature)}&temp_url_expires=${quoted(expires)}${more}`,
    headers,
    ...(/PUT|POST/.test(method) ? { body: 'temporary' } : {}),
    anonymous: true,
  };
}

/** Pages that staticweb makes of a container whose metadata its owner has written. */
function page({ random, own }: Stage): Request {
  const pick = pickFrom(random);
  const path = pick(['web', 'web/', 'web/sub/', 'web/none', `web/${quoted(pick(TEXTS))}`]);
  const headers: Record<string, string> = random.int(3) === 0 ? { 'x-web-mode': pick(['true', pick(TEXTS)]).trim() } : {}; // biome-ignore format: one expression
  const query = random.int(2) === 0 ? '' : `?${pick(['format', 'delimiter', 'prefix', 'limit', 'marker'])}=${quoted(pick(TEXTS))}`; // biome-ignore format: one expression
  return { method: pick(['GET', 'HEAD']), target: `/v1/${own}/${path}${query}`, headers, anonymous: true };
}

/** What an answer must not be. */
function problemOf({ status, text, headers }: Answer, request: Request): string | null {
  if (status >= 500 && status !== 501 && status !== 505) return 'an error of its own';
  if (headers['x-evil'] !== undefined) return 'a header that somebody put in';
  const inner = INNER.exec(text)?.[0];
  if (inner !== undefined && !`${request.target}${JSON.stringify(request)}`.includes(inner)) return `says "${inner}"`;
  if (text.includes(SECRET)) return "another account's object";
  const type = String(headers['content-type'] ?? '');
  if (/html/.test(type) && text.includes('<script>evil')) return 'a text of somebody as markup';
  const listing = /[?&]format=(json|xml)/.exec(request.target) && status === 200 && request.method === 'GET';
  if (listing && /^application\/json/.test(type) && !reads(() => JSON.parse(text))) return 'JSON that is none';
  if (listing && /^(application|text)\/xml/.test(type) && !reads(() => parseXml(Buffer.from(text, 'latin1')))) return 'XML that is none';
  return null;
} // biome-ignore format: one reason a line

function reads(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

/** Two accounts: objects, a manifest of itself, a container that is a site; and what nobody else may reach. */
async function furnish({ cloud, own, victim }: Stage): Promise<void> {
  const put = async (token: string, path: string, body: string, headers: Record<string, string> = {}) => {
    const answer = await cloud.ask('objectProxy', 'PUT', `/v1/${path}`, { token, body, headers });
    // Attacks take parts of it away at the same time; names with markup are refused where name_check is on.
    if (answer.status >= 500) throw new Error(`PUT ${path}: ${answer.status} ${answer.text}`);
  };
  const [mine, theirs] = [cloud.bob.token, cloud.alice.token];
  for (const [token, account] of [[mine, own], [theirs, victim]] as const) await put(token, `${account}/c`, ''); // biome-ignore format: pairs
  await put(theirs, `${victim}/c/thing`, SECRET);
  await put(mine, `${own}/c/thing`, '0123456789');
  await put(mine, `${own}/c/m`, '', { 'x-object-manifest': 'c/m' });
  await put(mine, `${own}/web`, '', {
    'x-container-read': '.r:*,.rlistings', 'x-container-meta-web-listings': 'true', 'x-container-meta-web-listings-css': '"><script>evil</script>',
    'x-container-meta-web-error': '"><script>evil</script>.html',
  }); // biome-ignore format: a site
  for (const name of ['<script>evil</script>', 'sub/"><script>evil</script>', 'plain'])
    await put(mine, `${own}/web/${quoted(name)}`, 'x', { 'content-type': '<script>evil</script>' });
  await cloud.ask('objectProxy', 'POST', `/v1/${own}`, { token: mine, headers: { 'x-account-meta-temp-url-key': KEY } }); // biome-ignore format: one call
}

/**
 * Object storage by its parameters, headers and bodies: what the operations declare and what other stores know, signed forms and
 * addresses, pages of containers, manifests. Never an error of ours, never a page with somebody's script, and another account
 * is as it was.
 */
export const part: Part = {
  name: 'objects',
  share: 5,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    try {
      const stage: Stage = {
        cloud,
        random,
        own: `AUTH_${cloud.bob.tenant}`,
        victim: `AUTH_${cloud.alice.tenant}`,
      };
      await furnish(stage);
      const problems: string[] = [];
      const tally: Record<string, number> = {};
      const kinds = [...operations.map(one => () => declaredRequest(stage, one)), ...[form, form, form, temporaryUrl, temporaryUrl, page, page].map(kind => () => kind(stage))]; // biome-ignore format: a list
      await eachOf(Array.from({ length: count }).keys(), 6, async n => {
        const request = kinds[n % kinds.length]!();
        const { method, target, headers, body, anonymous } = request;
        const asked = { headers, ...(anonymous ? {} : { token: cloud.bob.token }), ...(body === undefined ? {} : { body: Buffer.from(body, 'latin1') }), timeoutMs: 20_000 }; // biome-ignore format: one object
        const shown = `${method} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${JSON.stringify(body ?? '').slice(0, 700)}`;
        const ask = () => cloud.ask('objectProxy', method, target, asked).catch(error => void problems.push(`${error}: ${shown}`)); // biome-ignore format: one call
        let answer = await ask();
        // A disk that is busy with others' work for longer than a storage node may take is no finding; a refusal that stays is.
        for (let again = 0; answer?.status === 503 && again < 2; again++) answer = await ask();
        if (!answer) return;
        tally[`${Math.floor(answer.status / 100)}xx`] =
          (tally[`${Math.floor(answer.status / 100)}xx`] ?? 0) + 1;
        const why = problemOf(answer, request);
        if (why !== null) problems.push(`${why}: ${shown}: ${answer.status} ${answer.text.slice(0, 200)}`);
        cloud.takeLog();
        if (n % 500 === 499) await furnish(stage);
      });
      const thing = await cloud.ask('objectProxy', 'GET', `/v1/${stage.victim}/c/thing`, {
        token: cloud.alice.token,
      });
      if (thing.text !== SECRET)
        problems.push(`another account's object was changed: ${thing.status} ${thing.text}`);
      if (problems.length > 0)
        throw new Error(`seed ${seed}, ${problems.length} problems:\n${problems.slice(0, 40).join('\n')}`);
      report(`objects: ${count} requests, seed ${seed}: ${JSON.stringify(tally)}`);
      return count;
    } finally {
      await cloud.stop();
    }
  },
};
