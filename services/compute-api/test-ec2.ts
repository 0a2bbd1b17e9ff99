import { tokenInfo } from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { createLogger, seededRandom, systemClock } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import { parseXml, type XmlElement } from '@folsom/wire';
import { novaPolicy } from './default-policy.ts';
import { type Ec2Api, type Ec2ApiOptions, startEc2Api } from './ec2-api.ts';
import { startTestApi, type TestApi, TOKENS } from './test-api.ts';

/** The EC2 API above the database and bus of a {@link TestApi}; for tests. Keys are called as their users. */
export interface TestEc2 extends TestApi, Ec2Front {}

/** One process of the EC2 API. */
export interface Ec2Front {
  ec2: Ec2Api;
  ec2Url: string;
  /** An action as the user `demo`, or another. Signatures other than `good` are bad. */
  act(action: string, parameters?: Record<string, string>, how?: ActOptions): Promise<Ec2Answer>;
}

export interface ActOptions {
  as?: string;
  method?: 'GET' | 'POST';
  signature?: string;
}

export interface Ec2Answer {
  status: number;
  type: string | null;
  text: string;
  xml: XmlElement;
  /** Of an error. */
  code: string | undefined;
  message: string | undefined;
}

type TestEc2Options = Parameters<typeof startTestApi>[0] & {
  lockout?: Ec2ApiOptions['lockout'];
  transfer?: Ec2ApiOptions['transfer'];
};

export async function startTestEc2(options: TestEc2Options = {}): Promise<TestEc2> {
  const test = await startTestApi(options);
  const front = await startEc2Front(test, options);
  return {
    ...test,
    ...front,
    stop: async () => {
      await front.ec2.stop();
      await test.stop();
    },
  };
}

/** A process of the EC2 API above what belongs to the test, beside others or after them. */
export async function startEc2Front(test: TestApi, options: TestEc2Options = {}): Promise<Ec2Front> {
  const world = {
    clock: options.clock ?? systemClock,
    random: seededRandom(5),
    log: createLogger({ level: 'debug', write: line => test.log.push(line) }),
  };
  const ec2 = await startEc2Api({
    config: configFrom([novaOptions], {
      DEFAULT: { ec2_listen: '127.0.0.1', ec2_listen_port: 0, my_ip: '127.0.0.1', ...options.nova },
    }),
    database: test.db,
    bus: test.bus,
    policy: novaPolicy(),
    world,
    images: test.imageClient,
    login: async ({ access, signature }) => {
      const known = TOKENS[access as keyof typeof TOKENS];
      return known && signature === 'good' ? tokenInfo({ id: String(access), ...known }) : null;
    },
    ...(options.transfer ? { transfer: options.transfer } : {}),
    ...(options.lockout ? { lockout: options.lockout } : {}),
  });
  const ec2Url = `http://${ec2.addresses[0]}`;
  return {
    ec2,
    ec2Url,
    act: async (action, parameters = {}, { as = 'demo', method = 'POST', signature = 'good' } = {}) => {
      const form = new URLSearchParams({
        AWSAccessKeyId: as,
        Action: action,
        SignatureMethod: 'HmacSHA256',
        SignatureVersion: '2',
        Timestamp: '2012-09-27T10:00:00Z',
        Version: '2011-01-01',
        ...parameters,
        Signature: signature,
      });
      const path = '/services/Cloud/';
      const response = await fetch(
        method === 'GET' ? `${ec2Url}${path}?${form}` : ec2Url + path,
        method === 'GET' ? {} : { method, body: form },
      );
      return answerOf(response.status, response.headers.get('content-type'), await response.text());
    },
  };
}

function answerOf(status: number, type: string | null, text: string): Ec2Answer {
  const error = status === 200 ? undefined : find(parseXml(text), 'Error');
  return {
    status,
    type,
    text,
    // Long listings are more than anybody else's document may be.
    get xml() {
      return parseXml(text);
    },
    code: textOf(error, 'Code'),
    message: textOf(error, 'Message'),
  };
}

/** The first element of that name, wherever it stands. */
export function find(element: XmlElement | undefined, name: string): XmlElement | undefined {
  if (element === undefined || element.name === name) return element;
  for (const below of element.children) {
    const found = find(below, name);
    if (found) return found;
  }
  return undefined;
}

/** Every element of that name. */
export function findAll(element: XmlElement, name: string): XmlElement[] {
  const below = element.children.flatMap(child => findAll(child, name));
  return element.name === name ? [element, ...below] : below;
}

export const textOf = (element: XmlElement | undefined, name: string): string | undefined =>
  find(element, name)?.text;
