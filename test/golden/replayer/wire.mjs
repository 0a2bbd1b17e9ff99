// wire.mjs - reads recorded scenario files (both recorder dialects) and speaks raw HTTP over a socket.

import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** First value of a header in a [[name, value]] list (names are case-insensitive). */
export const header = (pairs, name) => pairs.find(([n]) => n.toLowerCase() === name)?.[1];

/** Some recordings hold header bytes decoded as latin-1; turn those back into real text. */
export function fixText(s) {
  if (!/[\x80-\xff]/.test(s) || /[^\x00-\xff]/.test(s)) return s;
  const utf8 = Buffer.from(s, 'latin1').toString('utf8');
  return utf8.includes('\ufffd') ? s : utf8;
}

const headerPairs = h =>
  (Array.isArray(h) ? h : Object.entries(h ?? {})).map(([n, v]) => [n, fixText(String(v))]);

/** Body of a recorded message: a Buffer, plus {elided: length, md5} when the recorder left a big one out. */
function bodyOf(msg) {
  if (msg.bodyLength !== undefined && !msg.body)
    return { body: null, elided: msg.bodyLength, md5: msg.bodyMd5 };
  const encoding = msg.bodyEncoding === 'base64' ? 'base64' : 'utf8';
  return { body: Buffer.from(msg.body ?? '', encoding) };
}

/** One scenario file -> the uniform shape the replayer works on. */
export function loadScenario(file) {
  const raw = JSON.parse(fs.readFileSync(file, 'utf8'));
  const exchanges = (raw.exchanges ?? []).map(e => {
    const q = e.request ?? {};
    const r = e.response;
    const request = {
      port: q.port ?? e.port,
      method: q.method,
      path: fixText(q.path ?? ''),
      version: q.version ?? 'HTTP/1.1',
      headers: headerPairs(q.headers),
      raw: q.raw,
      truncated: q.truncated,
      ...bodyOf(q),
    };
    // A dropped connection is recorded as null, as status 0 or as unparsable raw bytes: all become status 0.
    const response = r?.status
      ? {
          status: r.status,
          reason: r.reason,
          headers: headerPairs(r.headers),
          interim: r.interim,
          truncated: r.truncated,
          ...bodyOf(r),
        }
      : { status: 0, headers: [], body: Buffer.from(r?.raw ?? '', 'latin1') };
    return { request, response };
  });
  return { ...raw, slug: path.basename(file, '.json'), name: raw.scenario, exchanges };
}

/** The scenario files of a directory in the order of their numbers (which need not be padded alike). */
export const scenarioFiles = dir =>
  fs
    .readdirSync(dir)
    .filter(f => f.endsWith('.json') && !f.startsWith('_'))
    .sort((a, b) => parseInt(a, 10) - parseInt(b, 10) || (a < b ? -1 : 1))
    .map(f => path.join(dir, f));

/** Deterministic stand-in for an elided body; a plain repetition is recognised by its recorded md5. */
export function filler(length, md5, spec) {
  if (spec) return Buffer.from(spec.prefix + spec.fill.repeat(spec.count) + (spec.suffix ?? ''));
  for (const unit of ['x', 'a', '\0', 'b', 'z', '0', ' ', '0123456789']) {
    const b = Buffer.alloc(length, unit);
    if (crypto.createHash('md5').update(b).digest('hex') === md5) return b;
  }
  return Buffer.alloc(length, 'x');
}

/** Tries to cut one final response off the front of buf. Returns null while incomplete. */
export function parseResponse(buf, method, closed) {
  const interim = [];
  let pos = 0;
  for (;;) {
    const end = buf.indexOf('\r\n\r\n', pos);
    if (end < 0) return closed ? { status: 0, headers: [], body: buf } : null;
    const lines = buf.subarray(pos, end).toString('latin1').split('\r\n');
    const m = /^HTTP\/\d\.\d (\d{3}) ?(.*)$/.exec(lines[0]);
    if (!m) return { status: 0, headers: [], body: buf };
    const headers = lines
      .slice(1)
      .filter(l => l.includes(':'))
      .map(l => {
        const i = l.indexOf(':');
        return [l.slice(0, i), fixText(l.slice(i + 1).trim())];
      });
    const status = +m[1];
    pos = end + 4;
    if (status < 200) {
      interim.push({ status, headers });
      continue;
    }
    const done = (body, truncated) => ({ status, reason: m[2], headers, interim, body, truncated });
    if (method === 'HEAD' || status === 204 || status === 304) return done(Buffer.alloc(0));
    if (/chunked/i.test(header(headers, 'transfer-encoding') ?? '')) {
      const parts = [];
      for (let p = pos; ; ) {
        const eol = buf.indexOf('\r\n', p);
        if (eol < 0) return closed ? done(Buffer.concat(parts), true) : null;
        const size = parseInt(buf.toString('latin1', p, eol), 16);
        if (!size) return buf.indexOf('\r\n', eol + 2) < 0 && !closed ? null : done(Buffer.concat(parts));
        if (buf.length < eol + 2 + size + 2) return closed ? done(Buffer.concat(parts), true) : null;
        parts.push(buf.subarray(eol + 2, eol + 2 + size));
        p = eol + 2 + size + 2;
      }
    }
    const length = header(headers, 'content-length');
    if (length === undefined) return closed ? done(buf.subarray(pos)) : null;
    if (buf.length - pos < +length) return closed ? done(buf.subarray(pos), true) : null;
    return done(buf.subarray(pos, pos + +length));
  }
}

/**
 * Sends one request exactly as given, one connection each. The header list goes out verbatim; the caller has
 * already set Host and Content-Length. Resolves with status 0 when the connection fails or closes early.
 */
export function send(
  { host, port, method, path: target, version, headers, body, raw, truncated },
  timeout = 30000,
) {
  return new Promise(resolve => {
    const expect = /100-continue/i.test(header(headers, 'expect') ?? '');
    const chunked = /chunked/i.test(header(headers, 'transfer-encoding') ?? '');
    let received = Buffer.alloc(0);
    let bodySent = false;
    const socket = net.connect({ host, port });
    const finish = r => {
      clearTimeout(timer);
      clearTimeout(waiting);
      socket.destroy();
      resolve(r);
    };
    const timer = setTimeout(() => finish(parseResponse(received, method, true)), timeout);
    let waiting;
    const sendBody = () => {
      if (bodySent) return;
      bodySent = true;
      if (!body?.length && !chunked) return;
      if (!chunked) {
        socket.write(body);
        return;
      }
      if (body?.length)
        socket.write(
          Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]),
        );
      socket.write('0\r\n\r\n');
    };
    socket.on('connect', () => {
      if (raw !== undefined && !method) {
        socket.end(Buffer.from(raw, 'latin1'));
        return;
      }
      const head = `${method} ${target} ${version}\r\n${headers.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
      // Bytes that are no UTF-8 are recorded as \xNN.
      socket.write(
        Buffer.from(
          Buffer.from(head, 'utf8')
            .toString('latin1')
            .replace(/\\x([89a-f][0-9a-f])/g, (_m, h) => String.fromCharCode(parseInt(h, 16))),
          'latin1',
        ),
      );
      if (expect) waiting = setTimeout(sendBody, 2000);
      else sendBody();
      if (truncated) socket.end();
    });
    socket.on('data', d => {
      received = Buffer.concat([received, d]);
      if (expect && !bodySent && /^HTTP\/1\.\d 100/.test(received.toString('latin1', 0, 12))) sendBody();
      const r = parseResponse(received, method, false);
      if (r) finish(r);
    });
    socket.on('error', e => finish({ status: 0, headers: [], body: received, error: e.code ?? e.message }));
    socket.on('close', () => finish(parseResponse(received, method, true)));
  });
}

// --- signatures ------------------------------------------------------------------------------------------------
const hmac = (algo, key, text, enc = 'base64') => crypto.createHmac(algo, key).update(text).digest(enc);
const rfc3986 = s =>
  encodeURIComponent(s).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const ec2Schemes = [
  (k, c) => {
    // version 2, SHA256 or SHA1
    const q = Object.keys(c.params)
      .sort()
      .map(n => `${rfc3986(n)}=${rfc3986(c.params[n])}`)
      .join('&');
    return hmac(
      c.params.SignatureMethod === 'HmacSHA1' ? 'sha1' : 'sha256',
      k,
      [c.verb, c.host, c.path, q].join('\n'),
    );
  },
  (k, c) =>
    hmac(
      'sha1',
      k,
      Object.keys(c.params)
        .sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
        .map(n => n + c.params[n])
        .join(''),
    ),
  (k, c) => hmac('sha1', k, (c.params.Action ?? '') + (c.params.Timestamp ?? '')),
];
const s3Token = (k, c) => hmac('sha1', k, Buffer.from(c.token ?? '', 'base64'));

/**
 * A signature made with a recorded secret is worthless to the target. Where the recorded one verifies with a known
 * recorded secret, the substituted credentials are signed again with the target's secret; bad ones stay bad.
 * pairs: [[recordedSecret, targetSecret]].
 */
export function resignCredentials(recorded, substituted, pairs) {
  const schemes = recorded.params ? ec2Schemes : recorded.token ? [s3Token] : [];
  for (const sign of schemes) {
    for (const [old, now] of pairs)
      if (sign(old, recorded) === recorded.signature) return sign(now, substituted);
  }
  return substituted.signature;
}

/** EC2 query requests carry the same signature in their parameters (query string or form body). */
export function resignQuery(recQuery, query, { verb, host, path: p, recHost }, pairs) {
  const split = q => Object.fromEntries([...new URLSearchParams(q)].filter(([n]) => n !== 'Signature'));
  const signature = new URLSearchParams(recQuery).get('Signature');
  const now = resignCredentials(
    { verb, host: recHost, path: p, params: split(recQuery), signature },
    { verb, host, path: p, params: split(query), signature },
    pairs,
  );
  return now === signature ? query : query.replace(/(^|&)Signature=[^&]*/, `$1Signature=${rfc3986(now)}`);
}

/** TempURL: HMAC-SHA1(key, method \n expires \n path), keys being those seen in X-Account-Meta-Temp-URL-Key. */
export function resignTempUrl(recPath, newPath, method, keys) {
  const parse = s => {
    const [p, q = ''] = s.split('?');
    const u = new URLSearchParams(q);
    return [p, u.get('temp_url_sig'), u.get('temp_url_expires')];
  };
  const [rp, sig, rexp] = parse(recPath);
  const [np, , nexp] = parse(newPath);
  if (!sig) return newPath;
  for (const key of keys)
    for (const m of [method, 'GET', 'PUT', 'HEAD']) {
      if (hmac('sha1', key, `${m}\n${rexp}\n${decodeURIComponent(rp)}`, 'hex') === sig)
        return newPath.replace(sig, hmac('sha1', key, `${m}\n${nexp}\n${decodeURIComponent(np)}`, 'hex'));
    }
  return newPath;
}

/** FormPost: HMAC-SHA1(key, path \n redirect \n max_file_size \n max_file_count \n expires) among the form's fields. */
export function resignForm(recPath, newPath, recBody, newBody, keys) {
  const field = (b, n) => new RegExp(`name="${n}"\\r\\n\\r\\n([^\\r]*)\\r\\n`).exec(b)?.[1] ?? '';
  const signed = (p, b, key) =>
    hmac(
      'sha1',
      key,
      [p, ...['redirect', 'max_file_size', 'max_file_count', 'expires'].map(n => field(b, n))].join('\n'),
      'hex',
    );
  const old = field(recBody, 'signature');
  for (const key of keys)
    if (signed(recPath, recBody, key) === old) return newBody.replace(old, signed(newPath, newBody, key));
  return newBody;
}

/** Whether a request changes nothing. EC2's actions are read by their names: most reads are POSTs, and some changes are GETs. */
export function isRead({ method, path, body }) {
  const action = /(?:^|[?&])Action=(\w+)/.exec(path.includes('?') ? path : String(body ?? ''))?.[1];
  return action === undefined ? /^(GET|HEAD)$/.test(method) : /^(Describe|Get)/.test(action);
}
