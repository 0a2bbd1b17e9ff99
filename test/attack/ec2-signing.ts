import { createHmac } from 'node:crypto';
import { systemClock } from '@folsom/core';
import type { Answer, AttackedCloud } from './cloud.ts';

/** A pair of keys for EC2. */
export interface Ec2Keys {
  access: string;
  secret: string;
}

/** Where the API stands. */
export const EC2_PATH = '/services/Cloud/';
const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const quote = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`); // biome-ignore format: one expression

/** A query signed with version 2, as clients of the time send it. */
export function signedQuery(
  { access, secret }: Ec2Keys,
  parameters: Readonly<Record<string, string>>,
  { method = 'GET', at = systemClock.now() }: { method?: string; at?: number } = {},
): string {
  const all: Record<string, string> = {
    ...parameters,
    AWSAccessKeyId: access,
    SignatureMethod: 'HmacSHA256',
    SignatureVersion: '2',
    Timestamp: timestamp(at),
    Version: '2011-01-01',
  };
  const pairs = Object.keys(all)
    .sort((a, b) => (a < b ? -1 : 1))
    .map(name => `${quote(name)}=${quote(all[name]!)}`)
    .join('&');
  const signed = createHmac('sha256', secret)
    .update(`${method}\n127.0.0.1\n${EC2_PATH}\n${pairs}`)
    .digest('base64');
  return `${pairs}&Signature=${quote(signed)}`;
}

/** An action of EC2's in somebody's name. */
export const askEc2 = (
  cloud: Pick<AttackedCloud, 'ask'>,
  keys: Ec2Keys,
  parameters: Readonly<Record<string, string>>,
): Promise<Answer> => cloud.ask('ec2', 'GET', `${EC2_PATH}?${signedQuery(keys, parameters)}`);

/** A request to EC2's object store, signed as S3's clients do. */
export function askStore(
  cloud: Pick<AttackedCloud, 'ask'>,
  { access, secret }: Ec2Keys,
  method: string,
  path: string,
  body?: string,
): Promise<Answer> {
  const date = new Date(systemClock.now()).toUTCString();
  const type = body === undefined ? '' : 'text/plain';
  const signature = createHmac('sha1', secret)
    .update(`${method}\n\n${type}\n\nx-amz-date:${date}\n${path.split('?')[0]}`)
    .digest('base64');
  return cloud.ask('objectstore', method, path, {
    headers: {
      authorization: `AWS ${access}:${signature}`,
      'x-amz-date': date,
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body }),
  });
}
