// kinds.mjs - the kinds of opaque values in recorded texts.

// Order matters: the first alternative that matches at a position wins. B/E: not inside a longer word.
const B = '(?<![0-9A-Za-z])';
const E = '(?![0-9A-Za-z])';
const KINDS = {
  pem: '-----BEGIN (?:[A-Z0-9]+ )*[A-Z0-9]+-----[\\s\\S]+?-----END (?:[A-Z0-9]+ )*[A-Z0-9]+-----',
  rfc1123:
    '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d\\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \\d{4} \\d\\d:\\d\\d:\\d\\d GMT',
  iso: `${B}\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:?\\d\\d)?${E}`,
  request: `${B}req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}${E}`,
  uuid: `${B}[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}${E}`,
  trans: `${B}tx[0-9a-f]{32}${E}`,
  tempauth: `AUTH_tk[0-9a-f]{32}${E}`,
  pki: `${B}MII[A-Za-z0-9+\\/=-]{200,}`,
  sshkey: `${B}AAAA[A-Za-z0-9+\\/]{100,}={0,2}`,
  crypt: '\\$[56]\\$rounds=\\d+\\$[./0-9A-Za-z]+\\$[./0-9A-Za-z]+',
  hex64: `${B}[0-9a-f]{64}${E}`,
  hex56: `${B}[0-9a-f]{56}${E}`,
  hex40: `${B}[0-9a-f]{40}${E}`,
  hex32: `${B}[0-9a-f]{32}${E}`,
  // The recorder's ssh-keygen was newer than the clients: both forms are a fingerprint.
  fingerprint: `${B}(?:SHA256:[A-Za-z0-9+\\/]{43}|(?:[0-9a-f]{2}:){15}[0-9a-f]{2}${E})`,
  mac: `${B}(?:[0-9a-f]{2}:){5}[0-9a-f]{2}${E}`,
  ec2: `${B}(?:i|r|ami|aki|ari|vol|snap)-[0-9a-z]{8}${E}`,
  instance: `${B}instance-[0-9a-f]{8}${E}`,
  epoch: `${B}1[0-9]{9}\\.\\d{2,6}${E}`,
  address: `0x[0-9a-f]{6,}${E}`,
};
export const TOKENS = new RegExp(
  Object.entries(KINDS)
    .map(([k, re]) => `(?<${k}>${re})`)
    .join('|'),
  'g',
);
export const FRESH = new Set(['request', 'trans', 'crypt', 'address', 'epoch', 'pem']); // new every time: same kind is enough
export const TIMES = new Set(['rfc1123', 'iso']);

/** Splits text into its literal parts and its opaque values. */
export function tokenize(text) {
  const tokens = [];
  let shape = '';
  let last = 0;
  for (const m of text.matchAll(TOKENS)) {
    const kind = Object.keys(m.groups).find(k => m.groups[k] !== undefined);
    shape += `${text.slice(last, m.index)}\u0001${kind === 'iso' ? isoFormat(m[0]) : kind}\u0002`;
    last = m.index + m[0].length;
    tokens.push({ kind, value: m[0] });
  }
  return { shape: shape + text.slice(last), tokens };
}
export const isoFormat = s =>
  s
    .replace(/\d(?=.*\.)|\d(?!.*\.)/g, 'd')
    .replace(/\.d+/, '.f')
    .replace(/[+-]dd/, '+dd');
export const toTime = s => Date.parse(/GMT|Z$|[+-]\d\d:?\d\d$/.test(s) ? s : `${s.replace(' ', 'T')}Z`);
export const clip = v => {
  const s = typeof v === 'string' ? JSON.stringify(v) : (JSON.stringify(v) ?? String(v));
  return s.length > 110 ? `${s.slice(0, 107)}...` : s;
};
