import { createHmac } from 'node:crypto';

/** What a signing program prints, and its exit status. */
export interface Printed {
  text: string;
  code: number;
}

const refuse = (...lines: string[]): Printed => ({ text: lines.map(line => `${line}\n`).join(''), code: 1 });
const sign = (key: string, lines: readonly (string | number)[]): string =>
  createHmac('sha1', key).update(lines.join('\n')).digest('hex');

const TEMP_URL_USAGE = `Syntax: swift-temp-url <method> <seconds> <path> <key>

Where:
  <method>   What the URL allows: GET or PUT (HEAD comes with either).
  <seconds>  For how many seconds from now it does so.
  <path>     The whole path of the object, e.g. /v1/AUTH_account/c/o
  <key>      The account's X-Account-Meta-Temp-URL-Key.

Prints the path with its signature; put the address of the cluster before it:
    /v1/AUTH_account/c/o?temp_url_sig=...&temp_url_expires=1323482948
`;

/** swift-temp-url: a URL that lets anybody read or write one object for a while. */
export function tempUrl(argv: readonly string[], nowSeconds: number): Printed {
  if (argv.length !== 4) return { text: TEMP_URL_USAGE, code: 1 };
  const [method, seconds, path, key] = argv as [string, string, string, string];
  if (method !== 'GET' && method !== 'PUT') return refuse('Please use either the GET or PUT method.');
  const expires = endOf(seconds, nowSeconds);
  if (expires < 1) return refuse('Please use a positive <seconds> value.');
  if (!/^\/v1\/[^/]+\/[^/]+\/.*[^/]/.test(path)) {
    return refuse('<path> must point to an object.', 'For example: /v1/account/container/object');
  }
  const signature = sign(key, [method, expires, path]);
  return { text: `${path}?temp_url_sig=${signature}&temp_url_expires=${expires}\n`, code: 0 };
}

const FORM_USAGE = `Syntax: swift-form-signature <path> <redirect> <max_file_size> <max_file_count> <seconds> <key>

Where:
  <path>            What uploaded objects begin with, e.g. /v1/account/container/object_prefix_
  <redirect>        Where the browser goes once the uploads are done.
  <max_file_size>   Bytes a file may have.
  <max_file_count>  Files that may be uploaded.
  <seconds>         For how many seconds from now the form may be sent.
  <key>             The account's X-Account-Meta-Temp-URL-Key.

Prints the two values that the form needs:
    Expires: 1323842228
  Signature: 18de97e47345a82c4dbfb3b06a640dbb
`;

/** swift-form-signature: what a form needs that uploads straight into a container. */
export function formSignature(argv: readonly string[], nowSeconds: number): Printed {
  if (argv.length !== 6) return { text: FORM_USAGE, code: 1 };
  const [path, redirect, size, count, seconds, key] = argv as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (!/^\+?\d+$/.test(size)) return refuse('Please use a <max_file_size> value greater than or equal to 0.');
  if (!/^\+?\d+$/.test(count) || Number(count) < 1)
    return refuse('Please use a positive <max_file_count> value.');
  const expires = endOf(seconds, nowSeconds);
  if (expires < 1) return refuse('Please use a positive <seconds> value.');
  if (!/^\/v1\/[^/]+\/[^/]+/.test(path)) {
    return refuse(
      '<path> must point to a container at least.',
      'For example: /v1/account/container',
      '         Or: /v1/account/container/object_prefix',
    );
  }
  const signature = sign(key, [path, redirect, Number(size), Number(count), expires]);
  return { text: `  Expires: ${expires}\nSignature: ${signature}\n`, code: 0 };
}

/** Unix time in so many seconds; 0 if that is no number. */
const endOf = (seconds: string, now: number): number =>
  /^[+-]?\d+$/.test(seconds) ? Math.floor(now + Number(seconds)) : 0;
