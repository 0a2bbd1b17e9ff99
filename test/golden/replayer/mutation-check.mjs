#!/usr/bin/env node
import { spawn } from 'node:child_process';
import fs from 'node:fs';
// mutation-check.mjs - proves that replay.mjs can fail: a proxy in front of a faithful target spoils the answers of the
// leaf scenarios, one mutation each, and every spoilt scenario must be reported, every other one must pass.
// usage: mutation-check.mjs DIR --port RECORDED=TARGET ... [--setup FILE] [--round N] (the target starts empty)
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { header, loadScenario, parseResponse, scenarioFiles } from './wire.mjs';

const {
  values: opt,
  positionals: [dir],
} = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', multiple: true },
    setup: { type: 'string' },
    round: { type: 'string', default: '0' },
  },
});
const here = path.dirname(fileURLToPath(import.meta.url));
const setup = opt.setup ? JSON.parse(fs.readFileSync(opt.setup, 'utf8')) : {};
const json = r => {
  try {
    return JSON.parse(r.body);
  } catch {
    return null;
  }
};
const isXml = r =>
  r.body.toString().trimStart().startsWith('<') && /xml/.test(header(r.headers, 'content-type'));

/** Visits every value of a JSON document until f (parent, key, value) returns true. */
const visit = (o, f) =>
  Object.keys(o).some(k => (f(o, k, o[k]) ? true : o[k] && typeof o[k] === 'object' && visit(o[k], f)));
const inJson = f => r => {
  const o = json(r);
  if (!o || typeof o !== 'object' || !visit(o, f)) return false;
  r.body = Buffer.from(JSON.stringify(o));
  return true;
};
const inText =
  (re, to, test = () => true) =>
  r => {
    const s = r.body.toString();
    if (!test(r) || !re.test(s)) return false;
    r.body = Buffer.from(s.replace(re, to));
    return true;
  };
const inHeader = (name, f) => r => {
  const i = r.headers.findIndex(([n]) => n.toLowerCase() === name);
  if (i < 0) return false;
  const h = f(r.headers[i]);
  if (h) r.headers[i] = h;
  else r.headers.splice(i, 1);
  return true;
};
const seenIds = new Set(); // ids a client could have bound already
/** Each takes a response, spoils it in place and returns true, or returns false where it does not apply. */
const MUTATIONS = {
  'status changed': r => {
    r.status += r.status % 100 ? -1 : 1;
    return true;
  },
  'key dropped': inJson((o, k) => !Array.isArray(o) && delete o[k]),
  'nested key dropped': inJson((o, k, v) => !Array.isArray(o) && typeof v !== 'object' && delete o[k]),
  'key renamed': inJson((o, k, v) => {
    if (Array.isArray(o) || typeof v === 'object') return false;
    delete o[k];
    o[`${k}_`] = v;
    return true;
  }),
  'string to number': inJson((o, k, v) => {
    if (typeof v !== 'string') return false;
    o[k] = 7;
    return true;
  }),
  'boolean to string': inJson((o, k, v) => {
    if (typeof v !== 'boolean') return false;
    o[k] = String(v);
    return true;
  }),
  'number changed': inJson((o, k, v) => {
    if (typeof v !== 'number') return false;
    o[k] = v + 1;
    return true;
  }),
  'value to null': inJson((o, k, v) => {
    if (v === null || typeof v === 'object') return false;
    o[k] = null;
    return true;
  }),
  'text changed': inJson((o, k, v) => {
    if (!/^(message|name|title|description)$/.test(k) || typeof v !== 'string') return false;
    o[k] = `${v}.`;
    return true;
  }),
  'list item dropped': inJson((_o, _k, v) => Array.isArray(v) && v.length > 0 && v.pop() !== undefined),
  'list item doubled': inJson((_o, _k, v) => Array.isArray(v) && v.length > 0 && v.push(v[0]) > 0),
  'list to object': inJson((o, k, v) => {
    if (!Array.isArray(v)) return false;
    o[k] = {};
    return true;
  }),
  'known id swapped': inJson((o, k, v) => {
    if (!/^[0-9a-f]{32}$/.test(v) || !seenIds.has(v)) return false;
    o[k] = 'f00d'.repeat(8);
    return true;
  }),
  'id with dashes': inJson((o, k, v) => {
    if (!/^[0-9a-f]{32}$/.test(v)) return false;
    o[k] = v.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    return true;
  }),
  'date without T': inText(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\dZ)/, '$1 $2'),
  'date with fraction': inText(/(\d\d:\d\d:\d\d)Z/, '$1.000000Z'),
  'expiry one hour off': inText(
    /("expires": "|expires=")([^"]+)/,
    (_m, k, d) => `${k + new Date(Date.parse(d) + 3600e3).toISOString().slice(0, 19)}Z`,
  ),
  'URL with other port': inText(/(https?:\/\/127\.0\.0\.1:)(\d+)/, '$19$2'),
  'body emptied': r => {
    if (!r.body.length || r.head) return false;
    r.body = Buffer.alloc(0);
    return true;
  },
  'body cut short': r => {
    if (r.body.length < 3 || r.head) return false;
    r.cut = true;
    return true;
  },
  'not JSON': r => {
    if (!json(r)) return false;
    r.body = Buffer.from(r.body.toString().slice(0, -1));
    return true;
  },
  'XML attribute dropped': inText(/(<\w+(?: [\w:]+="[^"]*")*?) (?!xmlns)[\w-]+="[^"]*"/, '$1', isXml),
  'XML namespace changed': inText(/xmlns="([^"]*)"/, 'xmlns="$1/x"', isXml),
  'XML element renamed': inText(/^([\s\S]*?\?>\s*)<(\w+)([\s\S]*)<\/\2>\s*$/, '$1<$2s$3</$2s>', isXml),
  'Content-Type renamed': inHeader('content-type', ([, v]) => ['X-Content-Type', v]),
  'Content-Type changed': inHeader('content-type', ([n]) => [n, 'application/octet-stream']),
  'Vary dropped': inHeader('vary', () => null),
  'Vary changed': inHeader('vary', ([n]) => [n, 'Accept']),
};
const kinds = Object.keys(MUTATIONS);

// The n-th request of the replay belongs to which scenario? Unrecorded setup requests count, too.
const all = spawn(
  process.execPath,
  [
    path.join(here, 'replay.mjs'),
    dir,
    '--leaves',
    '--json',
    path.join(os.tmpdir(), `leaves-${process.pid}.json`),
  ],
  { stdio: 'ignore' },
);
await new Promise(r => {
  all.on('exit', r);
});
const leafFile = path.join(os.tmpdir(), `leaves-${process.pid}.json`);
const leaves = new Set(JSON.parse(fs.readFileSync(leafFile))[dir].leaves);
fs.unlinkSync(leafFile);
const owner = []; // request number -> slug, if it may be spoilt
let stopped = false;
for (const s of scenarioFiles(dir).map(loadScenario)) {
  const steps = setup.before?.[s.slug.replace(/^\d+-/, '')] ?? [];
  stopped ||= steps.some(x => x.hook);
  if (stopped) break;
  steps.filter(x => x.request || x.login).forEach(() => owner.push(null));
  s.exchanges.forEach((_x, i) =>
    owner.push(
      leaves.has(s.slug) && i === s.exchanges.length - 1 && !setup.shapeOnly?.[s.slug.replace(/^\d+-/, '')]
        ? s.slug
        : null,
    ),
  );
}
const plan = new Map(); // slug -> mutation applied
let n = -1;
const turn = Number(opt.round) % kinds.length; // another round spoils other scenarios in other ways
const uses = k => [...plan.values()].filter(v => v === k).length;
function spoil(r, method) {
  n += 1;
  const slug = owner[n];
  const ids = r.body.toString().match(/\b[0-9a-f]{32}\b/g) ?? [];
  if (slug) {
    if (method === 'HEAD') r.head = true;
    const rarest = [...kinds.slice(turn), ...kinds.slice(0, turn)].sort((a, b) => uses(a) - uses(b));
    const name = rarest.find(k => MUTATIONS[k](r)); // one that does not apply leaves the answer alone
    if (name) plan.set(slug, name);
  }
  ids.forEach(i => seenIds.add(i));
}
const proxy = target =>
  new Promise(ready => {
    const server = net.createServer(client => {
      const up = net.connect(target, '127.0.0.1');
      let received = Buffer.alloc(0);
      let method;
      client.on('data', d => {
        method ??= d.toString('latin1').split(' ')[0];
        up.write(d);
      });
      const answer = closed => {
        const r = parseResponse(received, method, closed);
        if (!r || client.destroyed || r.sent) return;
        up.removeAllListeners();
        up.destroy();
        spoil(r, method);
        const headers = r.headers.map(([k, v]) =>
          /^content-length$/i.test(k) && method !== 'HEAD' ? [k, r.body.length] : [k, v],
        );
        client.write(
          `HTTP/1.1 ${r.status} ${r.reason}\r\n${headers.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`,
        );
        client.end(r.cut ? r.body.subarray(0, r.body.length - 2) : r.body);
      };
      up.on('data', d => {
        received = Buffer.concat([received, d]);
        answer(false);
      });
      up.on('close', () => answer(true));
      up.on('error', () => client.destroy());
      client.on('error', () => up.destroy());
    });
    server.listen(0, '127.0.0.1', () => ready(server));
  });
const args = [
  path.join(here, 'replay.mjs'),
  dir,
  '--json',
  path.join(os.tmpdir(), `mutation-${process.pid}.json`),
  ...(opt.setup ? ['--setup', opt.setup] : []),
];
for (const p of opt.port) {
  const [recorded, target] = p.split('=').map(Number);
  const server = await proxy(target);
  server.unref();
  args.push('--port', `${recorded}=${server.address().port}`, '--alias', `${target}=${recorded}`);
}
const run = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
await new Promise(r => {
  run.on('exit', r);
});
const results = JSON.parse(fs.readFileSync(args[3]))[dir];
fs.unlinkSync(args[3]);
const table = new Map(kinds.map(k => [k, { applied: 0, caught: 0 }]));
let bad = 0;
for (const r of results) {
  const name = plan.get(r.slug);
  if (name) {
    const t = table.get(name);
    t.applied += 1;
    if (r.state === 'differs') t.caught += 1;
    else {
      bad += 1;
      console.log(`NOT CAUGHT: ${name} in ${r.slug}`);
    }
  } else if (r.state === 'differs') {
    bad += 1;
    console.log(
      `FALSE ALARM: ${r.slug} ${JSON.stringify(r.exchanges.flatMap(x => x.diffs.filter(d => d.level === 'hard')).slice(0, 2))}`,
    );
  }
}
for (const [k, t] of table)
  console.log(
    `${k.padEnd(24)} applied ${String(t.applied).padStart(3)}  caught ${String(t.caught).padStart(3)}`,
  );
console.log(
  `${plan.size} mutations, ${[...table.values()].reduce((s, t) => s + t.caught, 0)} caught; ${results.filter(r => r.state === 'ok').length} unspoilt scenarios passed; ${bad} wrong verdicts`,
);
process.exit(bad ? 1 : 0);
