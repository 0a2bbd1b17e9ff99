#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
// replay.mjs - replays recorded transcripts against a target and reports where its answers differ. See README.md.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Bindings, Comparison, parseJson, RULES, tokenize } from './compare.mjs';
import { findLeaves } from './leaves.mjs';
import { compareOutput } from './output.mjs';
import { resolveReferences } from './references.mjs';
import {
  filler,
  header,
  isRead,
  loadScenario,
  resignCredentials,
  resignForm,
  resignQuery,
  resignTempUrl,
  scenarioFiles,
  send,
} from './wire.mjs';

const { values: opt, positionals: dirs } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'http://127.0.0.1' },
    port: { type: 'string', multiple: true, default: [] },
    alias: { type: 'string', multiple: true, default: [] },
    'admin-token': { type: 'string' },
    env: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
    setup: { type: 'string', multiple: true, default: [] },
    hook: { type: 'string' },
    settle: { type: 'string' },
    'known-differences': { type: 'string' },
    pace: { type: 'boolean' },
    timeout: { type: 'string', default: '30' },
    'keep-host': { type: 'boolean' },
    verbose: { type: 'boolean' },
    cli: { type: 'boolean' },
    leaves: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (opt.help || !dirs.length) {
  console.log(
    'usage: replay.mjs DIR... --target http://HOST [--port RECORDED=TARGET ...] [--alias OTHER=RECORDED ...] [--admin-token T] [--setup FILE] [--only REGEX]\n' +
      '       [--hook COMMAND] [--settle SECONDS] [--known-differences NUMBERS] [--pace] [--timeout SECONDS] [--keep-host] [--cli [--env FILE]] [--json FILE] [--verbose]\n       replay.mjs DIR... --leaves [--json FILE]',
  );
  process.exit(opt.help ? 0 : 2);
}
const sleep = ms =>
  new Promise(r => {
    setTimeout(r, ms);
  });
const readJson = (file, otherwise) =>
  fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : otherwise;
const only = opt.only && new RegExp(opt.only);
const host = new URL(opt.target).hostname;
const ports = new Map(opt.port.map(p => p.split('=').map(Number)));
const bindings = new Bindings();
const tempUrlKeys = new Set();
let aliases = {}; // port the recorded service believed to have -> port recorded
let recordedNow = Date.now();

// --- normalisation of hosts and ports ---------------------------------------------------------------------------
const targetPort = p => ports.get(Number(p)) ?? Number(p);
const expNorm = s =>
  s.replace(/\b(127\.0\.0\.1|localhost):(\d{2,5})\b/g, (_m, h, p) => `${h}:${aliases[p] ?? p}`);
function gotNorm(s) {
  const back = new Map([...ports].map(([r, t]) => [String(t), String(r)]));
  return s.replace(/\b([\w.-]+):(\d{2,5})\b/g, (m, h, p) => {
    if (h !== host && h !== '127.0.0.1' && h !== 'localhost') return m;
    return `${h === host ? '127.0.0.1' : h}:${back.get(p) ?? aliases[p] ?? p}`;
  });
}

// --- preparing a request ----------------------------------------------------------------------------------------
/** Moves times near the moment of recording to the same distance from now; constants stay. */
function shift(text) {
  if (!text) return text;
  const delta = Date.now() - recordedNow;
  const near = ms => Math.abs(ms - recordedNow) < 90 * 86400e3;
  return text
    .replace(
      /\b(\d{4}-\d\d-\d\d)([T ]|%20|\+)(\d\d(?::|%3A)\d\d(?::|%3A)\d\d)(\.\d+)?/gi,
      (m, d, sep, t, f = '') => {
        const known = bindings.times.get(m) ?? bindings.times.get(`${m}Z`)?.replace(/Z$/, '');
        if (known) return known;
        const ms = Date.parse(`${d}T${t.replace(/%3A/gi, ':')}Z`);
        if (!near(ms)) return m;
        const iso = new Date(ms + delta).toISOString();
        const time = iso.slice(11, 19);
        return iso.slice(0, 10) + sep + (/%3A/i.test(t) ? time.replaceAll(':', '%3A') : time) + f;
      },
    )
    .replace(/(temp_url_expires=|Expires=|name="expires"\r\n\r\n)(\d{10})\b/g, (m, k, v) =>
      near(v * 1000) ? k + Math.round(+v + delta / 1000) : m,
    );
}
function shiftHeader(name, value) {
  if (/^x-delete-at$/i.test(name) && /^\d{10}$/.test(value))
    return Math.abs(value * 1000 - recordedNow) < 90 * 86400e3
      ? String(Math.round(+value + (Date.now() - recordedNow) / 1000))
      : value;
  if (/^if-(un)?modified-since$/i.test(name)) {
    const ms = Date.parse(value);
    return (
      bindings.times.get(value) ??
      (Math.abs(ms - recordedNow) < 90 * 86400e3
        ? new Date(ms + Date.now() - recordedNow).toUTCString()
        : value)
    );
  }
  return value;
}
/** /os-floating-ips/17 where the target calls that one 23. */
const substituteInts = p =>
  p.replace(/([a-z_-]+)\/(\d+)(?=[/?.]|$)/gi, (m, coll, n) => {
    const v = bindings.ints.get(`${coll.replace(/s$/, '').replace(/^.*[_-]/, '')}:${n}`);
    return v === undefined ? m : `${coll}/${v}`;
  });
function substituteBody(text) {
  let out = shift(bindings.substitute(text));
  const [rec, obj] = [parseJson(text), parseJson(out)];
  if (!obj || typeof obj !== 'object') return out;
  let changed = false;
  const walk = (o, r) => {
    if (!o || typeof o !== 'object') return;
    for (const k of Object.keys(o)) {
      const m = /^(?:parent_)?(.*)_id$/.exec(k);
      const v =
        m && /^\d+$/.test(String(o[k]))
          ? bindings.ints.get(`${m[1].replace(/^.*_/, '')}:${o[k]}`)
          : undefined;
      if (v !== undefined) {
        o[k] = typeof o[k] === 'number' ? Number(v) : String(v);
        changed = true;
      } else walk(o[k], r?.[k]);
    }
    if (typeof o.signature === 'string' && typeof r?.signature === 'string') {
      const s = resignCredentials(r, o, [...bindings.secrets]);
      if (s !== o.signature) {
        o.signature = s;
        changed = true;
      }
    }
  };
  walk(obj, rec);
  if (changed) out = JSON.stringify(obj);
  return out;
}
function prepare(rec, setup) {
  const port = targetPort(rec.port);
  const q = { ...rec, host, port, timeout: +opt.timeout * 1000 };
  if (rec.method === undefined) return q;
  q.path = substituteInts(shift(bindings.substitute(rec.path)));
  const secrets = [...bindings.secrets];
  let body = rec.body ?? filler(rec.elided, rec.md5, setup.bodies?.[rec.md5]);
  const type = header(rec.headers, 'content-type') ?? '';
  const recHost = header(rec.headers, 'host');
  const ownHost =
    recHost && /^(127\.0\.0\.1|localhost):\d+$/.test(recHost) && !opt['keep-host']
      ? `${host}:${port}`
      : recHost;
  if (body.length && body.length < 5e6 && !/octet-stream/.test(type)) {
    const text = body.toString('utf8');
    if (Buffer.from(text).equals(body)) {
      let now = substituteBody(text);
      if (/Signature=/.test(now))
        now = resignQuery(
          text,
          now,
          { verb: rec.method, host: ownHost, recHost, path: rec.path.split('?')[0] },
          secrets,
        );
      if (/name="signature"/.test(now)) now = resignForm(rec.path, q.path, text, now, tempUrlKeys);
      body = Buffer.from(now);
    }
  }
  if (/[?&]Signature=/.test(rec.path)) {
    const [rp, rq] = rec.path.split('?');
    q.path = `${rp}?${resignQuery(rq, q.path.split('?')[1], { verb: rec.method, host: ownHost, recHost, path: rp }, secrets)}`;
  }
  q.path = resignTempUrl(rec.path, q.path, rec.method, tempUrlKeys);
  const honest = Number(header(rec.headers, 'content-length')) === (rec.body?.length ?? rec.elided);
  q.headers = rec.headers.map(([n, v]) => {
    if (/^x-(account|container)-meta-temp-url-key/i.test(n)) tempUrlKeys.add(v);
    if (/^host$/i.test(n)) return [n, ownHost];
    if (/^content-length$/i.test(n) && honest) return [n, String(body.length)];
    if (opt['admin-token'] && /^x-auth-token$/i.test(n) && v === 'ADMIN') return [n, opt['admin-token']];
    return [n, shiftHeader(n, bindings.substitute(v))];
  });
  q.body = body;
  return q;
}
/** Opaque values of a request that no earlier response explained; they are sent as recorded. */
const unexplained = rec =>
  tokenize(`${rec.path}\n${header(rec.headers ?? [], 'x-auth-token') ?? ''}`)
    .tokens.filter(t => /hex32|uuid|tempauth|pki/.test(t.kind) && !bindings.map.has(t.value))
    .map(t => t.value);

// --- one exchange -----------------------------------------------------------------------------------------------
function compare(exp, got, method, rules) {
  const date = (r, otherwise) => Date.parse(header(r.headers, 'date') ?? '') || otherwise;
  recordedNow = date(exp, recordedNow);
  const gotNow = date(got, Date.now());
  bindings.tick(recordedNow, gotNow);
  const c = new Comparison(bindings, {
    expNorm,
    gotNorm,
    expNow: recordedNow,
    gotNow,
    rules,
    method,
    shapeOnly: rules.shapeOnly,
  });
  c.response(exp, got);
  return c;
}
let lastChange = { recorded: 0, target: 0 };
async function exchange(x, setup, rules) {
  recordedNow = Date.parse(header(x.response.headers, 'date') ?? '') || recordedNow;
  const unbound = x.request.method ? unexplained(x.request) : [];
  const safe = isRead(x.request);
  // Lists are often ordered by a time of one second's resolution: cross a second where the recording did.
  if (rules.pace && !safe) {
    if (recordedNow > lastChange.recorded && Date.now() < lastChange.target + 1000)
      await sleep(lastChange.target + 1000 - Date.now());
    lastChange = { recorded: recordedNow, target: Math.floor(Date.now() / 1000) * 1000 };
  }
  // What is known to differ will not become the recorded answer; those after it may go by what it waited for.
  const patience = rules.known ? Math.min(rules.settle, safe ? 0.2 : 1) : rules.settle;
  const until = Date.now() + patience * 1000;
  let c;
  for (;;) {
    const q = prepare(x.request, setup);
    const got = await send(q, q.timeout);
    c = compare(x.response, got, x.request.method, rules);
    // Asynchronous services: a read may need a moment, a refused change may be accepted a moment later.
    const retry = safe
      ? c.hardCount > 0
      : x.response.status < 400 && [400, 404, 409, 413, 503].includes(got.status);
    if (!retry || Date.now() > until) break;
    await sleep(400);
  }
  c.commit();
  return { method: x.request.method, path: x.request.path, diffs: c.diffs, unbound };
}
/** What the recorder did without recording it (see README: _setup.json). Returns false if it needs a --hook that is not there. */
async function runStep(template, setup, scenarios) {
  const step = JSON.parse(resolveReferences(JSON.stringify(template), scenarios));
  if (step.sleep) await sleep(step.sleep * 1000);
  if (step.hook) {
    if (!opt.hook) return false;
    const p = spawnSync('bash', ['-c', `${opt.hook} ${step.hook}`], { stdio: 'inherit' });
    if (p.status) throw new Error(`hook ${step.hook} failed`);
  }
  let rec = step.request;
  if (step.login) {
    const { user, password, tenant, port = 5000 } = step.login;
    rec = {
      port,
      method: 'POST',
      path: '/v2.0/tokens',
      headers: { 'Content-Type': 'application/json' },
      body: {
        auth: { passwordCredentials: { username: user, password }, ...(tenant && { tenantName: tenant }) },
      },
    };
  }
  if (!rec) return true;
  const body = rec.fill
    ? filler(rec.fill)
    : Buffer.from(
        rec.body === undefined ? '' : typeof rec.body === 'string' ? rec.body : JSON.stringify(rec.body),
      );
  const headers = [
    ['Host', `127.0.0.1:${rec.port}`],
    ...Object.entries(rec.headers ?? {}),
    ...(body.length ? [['Content-Length', String(body.length)]] : []),
  ];
  const q = prepare({ version: 'HTTP/1.1', ...rec, headers, body }, setup);
  const got = await send(q, q.timeout);
  const json = parseJson(got.body.toString());
  const wanted = {
    ...step.bind,
    ...(step.login && {
      'access.token.id': step.token,
      'access.token.tenant.id': step.tenant,
      'access.user.id': step.user,
    }),
  };
  for (const [where, recorded] of Object.entries(wanted).filter(([, v]) => v)) {
    // a path of keys; name=value picks a list's element
    const v = where.startsWith('header.')
      ? header(got.headers, where.slice(7))
      : where.split('.').reduce((o, k) => {
          const m = /^(\w+)=(.*)$/.exec(k);
          return m && Array.isArray(o) ? o.find(e => String(e[m[1]]) === m[2]) : o?.[k];
        }, json);
    if (typeof v === 'string') bindings.bind(recorded, v);
    else console.log(`      setup: no ${where} in the answer (${got.status}) to ${rec.method} ${rec.path}`);
  }
  if (got.status >= 400 || !got.status)
    console.log(`      setup: ${got.status} from ${rec.method} ${rec.path}`);
  return true;
}

// --- command line scenarios (--cli) -----------------------------------------------------------------------------
function readEnv(file) {
  const lines = file ? fs.readFileSync(file, 'utf8').split('\n') : [];
  return Object.fromEntries(
    lines
      .map(l => /^\s*(?:export\s+)?(\w+)=(.*)$/.exec(l))
      .filter(Boolean)
      .map(m => [m[1], m[2].replace(/^(['"])(.*)\1$/, '$2')]),
  );
}
function runCli(s, env, rules) {
  const toTarget = t =>
    bindings.substitute(t).replace(/\b127\.0\.0\.1:(\d+)\b/g, (_m, p) => `${host}:${targetPort(p)}`);
  const own = Object.fromEntries(Object.entries({ ...s.env, ...env }).map(([k, v]) => [k, toTarget(v)]));
  if (s.user) Object.assign(own, { OS_USERNAME: s.user, OS_TENANT_NAME: s.tenant });
  const p = spawnSync('bash', ['-c', toTarget(s.command)], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...own },
    input: s.stdin ?? '',
    encoding: 'utf8',
    timeout: 120000,
  });
  const c = new Comparison(bindings, {
    expNorm,
    gotNorm,
    expNow: recordedNow,
    gotNow: Date.now(),
    rules,
    method: 'CLI',
  });
  if (s.exit !== p.status) c.hard('exit', s.exit, p.status, p.stderr?.slice(-200));
  compareOutput(c, s.stdout ?? '', p.stdout ?? '');
  if ((s.stderr ?? '') !== p.stderr) c.soft('stderr', s.stderr, p.stderr);
  c.commit();
  return { method: 'CLI', path: s.command, diffs: c.diffs, unbound: [] };
}

/** Recorders that ran side by side number their files apart: put the scenarios in the order in which they happened. */
function sortByDate(scenarios) {
  let last = 0;
  for (const s of scenarios)
    last = s.at =
      Date.parse(header(s.exchanges.find(x => x.response.status)?.response.headers ?? [], 'date') ?? '') ||
      last;
  scenarios.sort((a, b) => a.at - b.at); // a stable sort
}

// --- walking a directory ------------------------------------------------------------------------------------------
async function replayDirectory(dir) {
  const setup = readJson(opt.setup[dirs.indexOf(dir)] ?? path.join(dir, '_setup.json'), {}); // the n-th --setup is for the n-th DIR
  const expected = readJson(path.join(dir, '_expected-differences.json'), {});
  aliases = { ...setup.portAliases, ...Object.fromEntries(opt.alias.map(a => a.split('='))) };
  const more = k => (setup[k] ?? []).map(s => new RegExp(s));
  const settle = Number(opt.settle ?? setup.settle ?? 0);
  const rules = {
    ...RULES,
    unordered: [...RULES.unordered, ...more('unordered')],
    volatilePaths: more('volatile'),
    foreign: more('foreign'),
    settle,
    settling: settle > 0,
    pace: opt.pace ?? setup.pace,
  };
  const known = new Set((opt['known-differences'] ?? '').split(',').filter(Boolean).map(Number));
  const env = readEnv(opt.env);
  const results = [];
  const scenarios = scenarioFiles(dir).map(loadScenario);
  if (setup.order === 'date') sortByDate(scenarios);
  // Small files the target is asked to fetch (copy_from and the like).
  for (const [port, files] of Object.entries(setup.serve ?? {})) {
    http
      .createServer((q, r) => {
        const f = files[q.url];
        r.writeHead(f === undefined ? 404 : 200, {
          'Content-Length': f?.length ?? 0,
          'Content-Type': 'application/octet-stream',
        });
        r.end(q.method === 'HEAD' ? '' : f);
      })
      .on('error', e => console.log(`      setup: cannot serve files on port ${port}: ${e.code}`))
      .listen(+port, '127.0.0.1')
      .unref();
  }
  for (const step of setup.first ?? []) await runStep(step, setup, scenarios);
  let blocked = null;
  for (const s of scenarios) {
    if (only && !only.test(s.slug)) continue;
    for (const step of setup.before?.[s.slug.replace(/^\d+-/, '')] ?? []) {
      if (step.hook) blocked = null;
      if (!blocked && !(await runStep(step, setup, scenarios))) blocked = step.hook;
    }
    if (blocked) {
      results.push({
        slug: s.slug,
        scenario: s.name,
        state: 'skipped',
        reason: `needs --hook for '${blocked}'`,
        exchanges: [],
      });
      continue;
    }
    const done = [];
    if (opt.cli && s.command) done.push(runCli(s, env, rules));
    else {
      // Polling loops: of equal consecutive reads only the last is worth waiting for.
      const same = (a, b) =>
        b &&
        rules.settling &&
        /^(GET|HEAD)$/.test(a.request.method) &&
        a.request.method === b.request.method &&
        a.request.path === b.request.path &&
        a.request.port === b.request.port;
      // But where a limit is tried, each of them counts.
      const run = (x, i) => (same(x, s.exchanges[i + 1]) ? [x, ...run(s.exchanges[i + 1], i + 1)] : [x]);
      const tried = reads => reads.length === 1 || reads.some(x => x.response.status === 413);
      const list = s.exchanges.filter((x, i) => tried(run(x, i)));
      for (const x of list)
        done.push(
          await exchange(x, setup, {
            ...rules,
            known: known.has(Number.parseInt(s.slug, 10)),
            shapeOnly: setup.shapeOnly?.[s.slug.replace(/^\d+-/, '')],
          }),
        );
    }
    const hard = done.flatMap((d, i) =>
      d.diffs.filter(f => f.level === 'hard').map(f => ({ ...f, exchange: i + 1 })),
    );
    const soft = done.reduce((n, d) => n + d.diffs.filter(f => f.level === 'soft').length, 0);
    const state = !done.length ? 'empty' : !hard.length ? 'ok' : s.slug in expected ? 'expected' : 'differs';
    results.push({ slug: s.slug, scenario: s.name, state, reason: expected[s.slug], exchanges: done });
    const unbound = [...new Set(done.flatMap(d => d.unbound))];
    if (state === 'empty') {
      if (opt.verbose) console.log(`-       ${s.slug} (no HTTP exchange)`);
      continue;
    }
    console.log(
      `${state.padEnd(8)}${s.slug}${soft ? ` (${soft} soft)` : ''}${state === 'expected' ? ` [${expected[s.slug]}]` : ''}`,
    );
    const show = f =>
      console.log(
        `        ${f.exchange ? `#${f.exchange} ` : ''}${f.path}: ${f.expected ?? 'nothing'} -> ${f.got ?? 'nothing'}${f.note ? ` (${f.note})` : ''}`,
      );
    hard.slice(0, opt.verbose ? 100 : 3).forEach(show);
    if (hard.length > 3 && !opt.verbose) console.log(`        ... ${hard.length - 3} more`);
    if (opt.verbose)
      done.forEach((d, i) =>
        d.diffs
          .filter(f => f.level === 'soft')
          .slice(0, 20)
          .forEach(f => show({ ...f, exchange: i + 1, note: `soft${f.note ? `, ${f.note}` : ''}` })),
      );
    if (unbound.length && (hard.length || opt.verbose))
      console.log(`        unbound, sent as recorded: ${unbound.join(' ')}`);
  }
  return results;
}

const report = {};
let leaves = 0;
for (const dir of dirs) {
  if (opt.leaves) {
    const scenarios = scenarioFiles(dir).map(loadScenario);
    const found = findLeaves(scenarios);
    found.forEach(s =>
      console.log(`${path.basename(dir)}/${s.slug}${s.exchanges.length ? '' : ' (no HTTP exchange)'}`),
    );
    report[dir] = { scenarios: scenarios.length, leaves: found.map(s => s.slug) };
    leaves += found.length;
    console.log(
      `${dir}: ${found.length} leaves of ${scenarios.length} scenarios, ${found.filter(s => s.exchanges.length).length} of them with HTTP exchanges`,
    );
  } else report[dir] = await replayDirectory(dir);
}
if (opt.json) fs.writeFileSync(opt.json, JSON.stringify(report, null, 1));
if (opt.leaves) {
  console.log(`${leaves} leaves`);
  process.exit(0);
}
const count = (list, state) => list.filter(r => r.state === state).length;
console.log(`\n${'directory'.padEnd(28)} scenarios    ok  differ  expected  skipped  without HTTP`);
for (const [dir, list] of Object.entries(report)) {
  console.log(
    `${path.basename(dir).padEnd(28)} ${String(list.length).padStart(9)} ${String(count(list, 'ok')).padStart(5)} ${String(count(list, 'differs')).padStart(7)} ${String(count(list, 'expected')).padStart(9)} ${String(count(list, 'skipped')).padStart(8)} ${String(count(list, 'empty')).padStart(13)}`,
  );
}
const all = Object.values(report).flat();
console.log(`${count(all, 'ok')} passed, ${count(all, 'differs')} failed`);
process.exit(count(all, 'differs') ? 1 : 0);
