/** What is a secret, by name and by place: the one list that logs, notifications and traces go by. */

export const MASK = '***';

const SECRET_NAME = new RegExp(
  `^(${[
    // Headers of every service.
    'x-(auth|subject|service|storage|user)-token',
    'x-auth-key',
    'x-container-sync-key',
    'x-(account|container)-meta-temp-url-key(-2)?',
    'x-amz-security-token',
    '(proxy-)?authorization',
    '(set-)?cookie',
    // Fields of bodies, options, queries and RPC arguments.
    '[\\w-]*(password|passwd|passphrase|adminpass|admin_pass|new_pass)',
    '[\\w-]*secret([_-]?(access[_-]?)?key)?',
    '[\\w-]*(auth|access|admin|console)[_-]?token(_?id)?',
    'token(_?id)?',
    '_context_auth_token',
    '[\\w-]*(private|encryption)[_-]?key',
    '(x-amz-)?signature',
    'temp_url_sig',
    'user_data',
  ].join('|')})$`,
  'i',
);

/** Whether a field, header, option or query parameter of this name holds a secret. */
export function isSecretName(name: string): boolean {
  let known = judged.get(name);
  if (known === undefined) {
    known = SECRET_NAME.test(name);
    if (judged.size < JUDGED_MAX) judged.set(name, known);
  }
  return known;
}

/** Names of fields are few and come again with every line of the log. */
const judged = new Map<string, boolean>();
const JUDGED_MAX = 2000;

/** Longer texts are cut first: masking must cost the same for any input. */
const MASKED_TEXT_CHARS_MAX = 8192;

const CREDENTIALS_IN_URL = /(:\/\/[^:/@\s]{0,255}:)[^@/\s]{1,1024}@/g;
const PAIR = /([?&;,{\s"']|^)([\w.%-]{1,80})=([^&\s"';,}]+)/g;
/** A signed (JWT) or CMS (PKI) token by its look. */
const TOKEN_TEXT = /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}|\bMII[\w+/=-]{100,}/g;
const SUSPICIOUS = /:\/\/|=|eyJ|MII/;

/** Replaces credentials in URLs and connection strings, `name=value` of secret names, and texts that look like tokens. */
export function maskText(text: string): string {
  const cut = text.length > MASKED_TEXT_CHARS_MAX ? `${text.slice(0, MASKED_TEXT_CHARS_MAX)}…` : text;
  if (!SUSPICIOUS.test(cut)) return cut;
  return cut
    .replace(CREDENTIALS_IN_URL, `$1${MASK}@`)
    .replace(PAIR, (whole, before: string, name: string) =>
      isSecretName(decoded(name)) ? `${before}${name}=${MASK}` : whole,
    )
    .replace(TOKEN_TEXT, MASK);
}

/** What stands below `tokens` in a path and is no token. */
const BELOW_TOKENS = new Set(['', 'endpoints', 'revoked', '-', MASK]);
const TOKENS = /^(os-)?tokens?$/i;
const TOKENS_AND_MORE = /^(os-)?tokens?[^\w-]/i;

/**
 * A request's target without its secrets, in whatever spelling: everything below a segment `tokens`, secret query parameters,
 * and all that {@link maskText} finds.
 */
export function maskTarget(target: string): string {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark);
  return maskText(maskPath(path) + query);
}

function maskPath(path: string): string {
  if (!/token|%/i.test(path)) return path;
  let below = false;
  return path
    .split('/')
    .map(segment => {
      const name = decoded(segment);
      if (below) return BELOW_TOKENS.has(name.toLowerCase()) ? segment : MASK;
      // An encoded separator does not separate, but whoever sent it meant a token.
      if (TOKENS_AND_MORE.test(name) || /[/\\]tokens?[/\\]/i.test(name)) return MASK;
      below = TOKENS.test(name);
      return segment;
    })
    .join('/');
}

/** Decoded as often as somebody may have encoded it. */
function decoded(text: string): string {
  let now = text;
  for (let times = 0; times < 3 && now.includes('%'); times++) {
    now = now.replace(/%([0-9a-f]{2})/gi, (_whole, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return now;
}

/** Fields that hold a request's target. */
const TARGET_FIELDS = new Set(['path', 'url', 'target', 'line', 'uri']);
export const isTargetName = (name: string): boolean => TARGET_FIELDS.has(name);

/** A copy of a value in which every field named like a secret reads `***`; limits its depth. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskText(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Error || value instanceof Date) return value;
  if (depth > 6) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, 200).map(item => maskSecrets(item, depth + 1));
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (isSecretName(key) && item !== null && item !== undefined && item !== '') out[key] = MASK;
    else if (typeof item === 'string' && isTargetName(key)) out[key] = maskTarget(item);
    else out[key] = maskSecrets(item, depth + 1);
  }
  return out;
}
