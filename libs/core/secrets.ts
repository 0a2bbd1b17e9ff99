import { timingSafeEqual } from 'node:crypto';

/** Compares two secrets in a time that does not depend on where they differ. */
export function secretsEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = typeof a === 'string' ? Buffer.from(a) : a;
  const right = typeof b === 'string' ? Buffer.from(b) : b;
  if (left.byteLength !== right.byteLength) {
    timingSafeEqual(left, left);
    return false;
  }
  return timingSafeEqual(left, right);
}

export const MASK = '***';

const SECRET_NAME =
  /^(x-auth-token|x-subject-token|x-service-token|x-storage-token|authorization|cookie|.*(password|passwd|adminpass|secret|auth_?token|private_?key|new_pass|signature)|token|_context_auth_token)$/i;

/** Whether a field, header or option of this name holds a secret. */
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

/** Replaces credentials in connection strings and console tokens in URLs found inside a text. */
export function maskText(text: string): string {
  const cut = text.length > MASKED_TEXT_CHARS_MAX ? `${text.slice(0, MASKED_TEXT_CHARS_MAX)}…` : text;
  if (!cut.includes('://') && !cut.includes('=')) return cut;
  return cut
    .replace(/(:\/\/[^:/@\s]{0,255}:)[^@/\s]{1,1024}@/g, `$1${MASK}@`)
    .replace(
      /([?&](?:[\w-]*token|temp_url_sig|signature|[\w-]*passw(?:or)?d|[\w-]*secret[\w-]*)=)[^&\s"]+/gi,
      `$1${MASK}`,
    );
}

/** A copy of a value in which every field named like a secret reads `***`; limits its depth. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskText(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Error || value instanceof Date) return value;
  if (depth > 6) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, 200).map(item => maskSecrets(item, depth + 1));
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    out[key] =
      isSecretName(key) && item !== null && item !== undefined && item !== ''
        ? MASK
        : maskSecrets(item, depth + 1);
  }
  return out;
}
