import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { staticValidator, type TokenInfo, tokenInfo } from '@folsom/auth';
import { systemClock } from '@folsom/core';
import { freePorts, goldenDir, readGolden, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORDED, type RecordedImage, recordedEstate } from './ec2-estate.ts';
import { type NovaCloud, startNovaCloud } from './nova-cloud.ts';
import { listedDifferences, listedInVain, type Replayed, replayRecordings, unlisted } from './replay.ts';

/** Seconds the replayer waits for an asynchronous answer to become the recorded one. */
const SETTLE_S = 2;
const REPLAY_MS = 600_000;

/** Addresses, hosts and how far a deletion is are a matter of chance; the image that the recorder uploaded is not known byte for byte. */
const VOLATILE = [
  '\\.currentState\\.(code|name)$',
  '\\.(ipAddress|privateIpAddress)$',
  'reservationSet\\..*keyName$',
  '\\.checksum$',
];

const TOKENS = {
  admin: {
    userId: RECORDED.admin.user,
    tenantId: RECORDED.admin.tenant,
    userName: 'admin',
    tenantName: 'admin',
    roles: ['admin'],
  },
  demo: {
    userId: RECORDED.demo.user,
    tenantId: RECORDED.demo.tenant,
    userName: 'demo',
    tenantName: 'demo',
    roles: ['Member'],
  },
};

/** The signature that the recorder made with a wrong secret on purpose. */
const WRONG = new URLSearchParams(
  readGolden('ec2').find(one => one.slug.includes('bad-signature'))!.exchanges[0]!.request.body ?? '',
).get('Signature');

/** The recorder's secrets are in no recording, so its other signatures are believed. */
async function believed({ access, signature }: Record<string, unknown>): Promise<TokenInfo | null> {
  if (signature === WRONG) return null;
  const name = (['admin', 'demo'] as const).find(one => RECORDED[one].access === access);
  return name === undefined ? null : tokenInfo({ id: name, ...TOKENS[name] });
}

/** Registers the recorded images where the recorder had them. */
async function uploadImages(port: number, images: readonly RecordedImage[]): Promise<void> {
  for (const image of images) {
    const properties = Object.entries(image.properties).map(([name, value]) => [
      `x-image-meta-property-${name}`,
      value,
    ]);
    const answer = await fetch(`http://127.0.0.1:${port}/v1/images`, {
      method: 'POST',
      headers: {
        'x-auth-token': 'admin',
        'content-type': 'application/octet-stream',
        'x-image-meta-id': image.uuid,
        'x-image-meta-name': image.name,
        'x-image-meta-owner': image.owner,
        'x-image-meta-is_public': String(image.owner === RECORDED.admin.tenant),
        'x-image-meta-disk_format': image.format,
        'x-image-meta-container_format': image.format,
        ...Object.fromEntries(properties),
      },
      body: Buffer.alloc(1024 * 1024),
    });
    if (!answer.ok) throw new Error(`image ${image.name}: ${answer.status} ${await answer.text()}`);
  }
}

describe('recordings of the EC2 API of nova 2012.2.4', () => {
  const dir = tempDir('folsom-ec2-golden');
  const listed = listedDifferences('ec2');
  let cloud: NovaCloud;
  let replayed: Replayed;

  beforeAll(async () => {
    const [image, registry, compute, ec2, unused] = (await freePorts(5)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const estate = recordedEstate(readGolden('ec2'), systemClock.now());
    cloud = await startNovaCloud({
      dir: dir.path,
      ports: { identity: unused, identityAdmin: unused, image, registry, compute },
      validator: staticValidator(TOKENS),
      ec2: { port: ec2, login: believed },
      nova: { quota_instances: 100, quota_cores: 200, quota_ram: 500_000 },
      furnish: estate.furnish,
    });
    await uploadImages(image, estate.images);
    const setup = join(dir.path, 'setup.json');
    const unordered = [
      'imagesSet\\.item\\[\\]$',
      'reservationSet\\.item\\[\\]$',
      'instancesSet\\.item\\[\\]$',
    ];
    writeFileSync(setup, JSON.stringify({ unordered, volatile: VOLATILE }));
    replayed = await replayRecordings({
      folder: join(goldenDir(), 'ec2'),
      ports: { 8773: ec2 },
      setup,
      settle: SETTLE_S,
      known: listed,
    });
    console.log(`ec2: ${replayed.ok.length} as recorded, ${replayed.differs.length} differ with a reason`);
    for (const difference of unlisted(replayed, listed)) console.log(difference);
  }, REPLAY_MS);

  afterAll(async () => {
    await cloud?.stop();
    dir.remove();
  });

  it('are answered as the original answered, but for what differences.md lists', () => {
    expect(unlisted(replayed, listed)).toEqual([]);
    expect(listedInVain(replayed, listed)).toEqual([]);
    expect(replayed.ok.length + replayed.differs.length).toBe(90);
  });
});
