import { isSecretName, MASK } from '@folsom/core';

/** Query parameters that let whoever reads them in, besides those that are secret everywhere. */
const SECRET = /^(temp_?url_?sig|signature|sig|(x_)?(auth_|storage_)?token(_?id)?)$/;

function plainName(name: string): string {
  const text = name
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return text.trim().toLowerCase().replaceAll('-', '_');
}

const isSecret = (name: string): boolean =>
  SECRET.test(name) || isSecretName(name) || isSecretName(name.replaceAll('_', '-'));

/** A request target, or any URL, for a log: without the values of parameters that are secret. */
export function maskedTarget(target: string): string {
  const mark = target.search(/\?|%3f/i);
  if (mark < 0) return target;
  const start = mark + (target[mark] === '?' ? 1 : 3);
  const query = target
    .slice(start)
    .replace(/([^=&;?]+)=([^&;#]*)/g, (whole, name: string) =>
      isSecret(plainName(name)) ? `${name}=${MASK}` : whole,
    );
  return target.slice(0, start) + query;
}
