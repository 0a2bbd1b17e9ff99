/** Deepest nesting a body may have; the deepest of Folsom's own resources has seven levels. */
const DEPTH_MAX = 64;

/**
 * The value of a JSON body. Text that is no UTF-8 and nesting deeper than any resource's are refused like broken JSON: what walks
 * the value later may recurse.
 * @throws SyntaxError
 */
export function parseJson(raw: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
  } catch {
    throw new SyntaxError('not UTF-8');
  }
  const value: unknown = JSON.parse(text);
  if (isDeeperThan(value, DEPTH_MAX)) throw new SyntaxError(`nested deeper than ${DEPTH_MAX}`);
  return value;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (levels === 0) return true;
  return Object.values(value).some(item => isDeeperThan(item, levels - 1));
}
