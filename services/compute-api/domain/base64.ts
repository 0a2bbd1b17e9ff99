const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What a base64 text stands for, blanks and line ends within it ignored; undefined for anything else. */
export function decodeBase64(value: unknown): Buffer | undefined {
  if (typeof value !== 'string') return undefined;
  const plain = value.replace(/\s/g, '');
  return BASE64.test(plain) ? Buffer.from(plain, 'base64') : undefined;
}
