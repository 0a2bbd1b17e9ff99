import { seededRandom } from '@folsom/core';
import { type AttackedCloud, eachOf, loginOf, startAttackedCloud } from './cloud.ts';
import { type Estate, makeEstate } from './estate.ts';
import { jsonCount, jsonFuzz, xmlCount, xmlFuzz } from './fuzz.ts';
import { INNER } from './inner.ts';
import type { Part } from './part.ts';
import { adapted, type Declared, declared, filled, type Sample, samplesOf } from './samples.ts';

/** An operation with a body that it takes. */
interface Target {
  operation: Declared;
  sample: Sample;
  xml: boolean;
  count: number;
}

/** For operations without a recorded body: its one key is all that is known. */
const PLAIN: Sample = { body: '{"thing": {"name": "a", "id": 1}}', type: 'application/json' };
const ANSWER_MS = 20_000;
/** A line that says why a service could not do what it was asked. */
const isComplaint = (line: string): boolean => /"level":"(?:warn|error)"/.test(line);
const PROBLEMS_MAX = 30;

function targetsOf(operations: readonly Declared[], image: string, estate: Estate): Target[] {
  const samples = samplesOf(operations);
  const targets: Target[] = [];
  for (const operation of operations) {
    if (!/^(POST|PUT|PATCH)$/.test(operation.method) || operation.pattern.includes('*')) continue;
    for (const { body, type } of samples.get(operation) ?? [PLAIN]) {
      const sample = { body: adapted(body, estate.ids, image), type };
      const xml = /^\s*</.test(sample.body);
      if (!xml && !isJson(sample.body)) continue;
      targets.push({ operation, sample, xml, count: xml ? xmlCount(sample.body) : jsonCount(sample.body) });
    }
  }
  return targets;
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

/** Fields of images stand in headers. */
const IMAGE_FIELDS = [
  'name',
  'id',
  'size',
  'checksum',
  'disk_format',
  'container_format',
  'min_disk',
  'min_ram',
  'owner',
  'is_public',
  'protected',
  'status',
  'location',
  'store',
  'created_at',
  'deleted',
  'property-a',
  'property-',
  'unknown',
];
const FIELD_VALUES = [
  '',
  ' ',
  '-1',
  '1e308',
  '99999999999999999999',
  'NaN',
  'true',
  'None',
  'x'.repeat(300),
  '\xe9',
  '{"a": 1}',
  '[]',
  '../../etc/passwd',
  '%s%n',
  "'; --",
  '0x10',
  '1.5',
  '\t',
  'file:///etc/passwd',
];

const imageCount = IMAGE_FIELDS.length * FIELD_VALUES.length * 2;

async function sendImage(cloud: AttackedCloud, estate: Estate, n: number) {
  const field = IMAGE_FIELDS[n % IMAGE_FIELDS.length]!;
  const value = FIELD_VALUES[Math.floor(n / IMAGE_FIELDS.length) % FIELD_VALUES.length]!;
  const update = n >= imageCount / 2;
  const headers = {
    'x-image-meta-name': 'fuzz',
    'x-image-meta-disk_format': 'raw',
    'x-image-meta-container_format': 'bare',
    [`x-image-meta-${field}`]: value,
  };
  const answer = await cloud.ask(
    'image',
    update ? 'PUT' : 'POST',
    update ? `/v1/images/${estate.ids.images}` : '/v1/images',
    {
      token: cloud.admin.token,
      headers,
      timeoutMs: ANSWER_MS,
    },
  );
  return {
    answer,
    shown: `image ${update ? 'PUT' : 'POST'} x-image-meta-${field}: ${JSON.stringify(value.slice(0, 60))}`,
  };
}

/**
 * Every body of every operation with every kind of value in every place, as JSON and as XML, by an administrator, whom nothing
 * stops before the values are looked at. Never an error of ours, never a hang, nothing of our insides in an answer.
 */
export const part: Part = {
  name: 'bodies',
  share: 25,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    try {
      let estate = await makeEstate(cloud, cloud.alice, 'alice');
      const guest = await cloud.ask('image', 'GET', '/v2/images?name=guest', { token: cloud.admin.token });
      const image = JSON.parse(guest.text).images[0].id;
      const targets = targetsOf(declared(cloud), image, estate);
      const whole = targets.reduce((sum, target) => sum + target.count, 0) + imageCount;
      const tally: Record<string, number> = {};
      const problems: string[] = [];
      const check = (answer: { status: number; text: string }, shown: string, sent: string) => {
        const kind = `${Math.floor(answer.status / 100)}xx`;
        tally[kind] = (tally[kind] ?? 0) + 1;
        const own = answer.status >= 500 && answer.status !== 501;
        // What was sent may come back.
        const inner = INNER.exec(answer.text)?.[0];
        const why = own ? cloud.takeLog().filter(isComplaint).slice(-3).join(' ') : '';
        if (own || (inner !== undefined && !sent.includes(inner)))
          problems.push(
            `${own ? 'an error of its own' : `says "${inner}"`}: ${shown}: ${answer.status} ${answer.text.slice(0, 300)} ${why}`,
          );
        if (problems.length > PROBLEMS_MAX) throw new Error(told());
      };
      const told = () => `seed ${seed}, ${problems.length} problems:\n${problems.join('\n')}`;
      const attempt = async (n: number) => {
        if (random.int(whole) < imageCount) {
          const { answer, shown } = await sendImage(cloud, estate, n % imageCount);
          return check(answer, shown, shown);
        }
        const { operation, sample, xml, count: ways } = targets[n % targets.length]!;
        const at = count >= whole ? Math.floor(n / targets.length) % ways : random.int(ways);
        const body = xml ? xmlFuzz(sample.body, at) : jsonFuzz(sample.body, at, random);
        const login = loginOf(operation.to, cloud.admin);
        const path = filled(operation.pattern, estate.ids, cloud.admin.tenant, null);
        const shown = `${operation.to} ${operation.method} ${path} ${body.slice(0, 900)}`;
        const answer = await cloud
          .ask(operation.to, operation.method, path, {
            ...login,
            headers: {
              ...login.headers,
              'content-type': sample.type || 'application/json',
              accept: xml ? 'application/xml' : 'application/json',
            },
            body,
            timeoutMs: ANSWER_MS,
          })
          .catch(error => {
            problems.push(`${error}: ${shown}`);
            return null;
          });
        if (answer) check(answer, shown, body);
      };
      const numbers = Array.from({ length: count }, (_none, n) => n);
      for (let from = 0; from < count; from += RENEWED) {
        await eachOf(numbers.slice(from, from + RENEWED), 6, attempt);
        cloud.takeLog();
        // Some bodies were right and have ended what later ones are about.
        if (from + RENEWED < count)
          estate = await makeEstate(cloud, cloud.alice, `alice${from}`).catch(() => estate);
      }
      if (problems.length > 0) throw new Error(told());
      report(
        `bodies: ${count} of ${whole} bodies for ${targets.length} samples, seed ${seed}: ${JSON.stringify(tally)}`,
      );
      return count;
    } finally {
      await cloud.stop();
    }
  },
};

const RENEWED = 2_000;
