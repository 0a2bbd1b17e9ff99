import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import type { GuestImage } from '../guest-image/build.ts';
import type { PartOptions } from './part.ts';
import { requestJson } from './request.ts';

/** How long one upload may take. */
const UPLOAD_TIMEOUT_MS = 120_000;
/** The fake driver boots anything: a small file stands for the guest. */
const PLACEHOLDER_BYTES = 1024 * 1024;

type Facts = Record<string, string | number>;

/**
 * Puts the guest image into the image service at the first start: `guest` (one disk) and `guest-ami` with its kernel and
 * ramdisk. With the fake driver nothing boots, so a placeholder called `guest` will do. A build that fails is told and
 * does not keep the cloud from starting.
 */
export async function ensureGuestImage(options: PartOptions): Promise<void> {
  const { layout, compute, tell, world } = options;
  const marker = layout.guestImageMarker;
  const wanted = JSON.stringify({ version: 1, driver: compute.driver });
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return;
  const upload = await uploader(options);
  if (compute.driver === 'fake') {
    await upload('guest', { disk_format: 'raw', container_format: 'bare' }, Buffer.alloc(PLACEHOLDER_BYTES));
  } else {
    try {
      const { buildGuestImage } = await import('../guest-image/build.ts');
      const image = await tell('building the guest image (once)', () =>
        buildGuestImage({ directory: layout.guestImage, log: world.log }),
      );
      await tell('uploading the guest image', () => uploadParts(upload, image));
    } catch (error) {
      world.log.error('no guest image', { error });
      options.print(`no guest image: ${(error as Error).message.split('\n')[0]}`);
      return;
    }
  }
  await writeFile(marker, wanted, { mode: 0o600 });
}

type Upload = (name: string, facts: Facts, body: Buffer | string) => Promise<string>;

async function uploadParts(upload: Upload, image: GuestImage): Promise<void> {
  await upload('guest', { disk_format: 'qcow2', container_format: 'bare' }, image.disk);
  const part = (format: string) => ({ disk_format: format, container_format: format });
  const kernel = await upload('guest-aki', part('aki'), image.kernel);
  const ramdisk = await upload('guest-ari', part('ari'), image.ramdisk);
  await upload(
    'guest-ami',
    { ...part('ami'), 'property-kernel_id': kernel, 'property-ramdisk_id': ramdisk },
    image.rootFilesystem,
  );
}

/** Uploads bytes or a file as a public image; resolves to its id. What is there by that name stays. */
async function uploader({ hostIp, ports, secrets }: PartOptions): Promise<Upload> {
  const auth = {
    tenantName: 'admin',
    passwordCredentials: { username: 'admin', password: secrets.adminPassword },
  };
  const { access } = (await requestJson(`http://${hostIp}:${ports.identityPublic}/v2.0/tokens`, {
    method: 'POST',
    body: { auth },
    timeoutMs: UPLOAD_TIMEOUT_MS,
  })) as { access: { token: { id: string } } };
  const headers = { 'x-auth-token': access.token.id };
  const base = `http://${hostIp}:${ports.image}/v1/images`;
  return async (name, facts, source) => {
    const { images } = (await requestJson(`${base}?name=${name}`, {
      method: 'GET',
      headers,
      timeoutMs: UPLOAD_TIMEOUT_MS,
    })) as { images: { id: string }[] };
    if (images[0]) return images[0].id;
    const size = typeof source === 'string' ? (await stat(source)).size : source.length;
    const { image } = (await requestJson(base, {
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/octet-stream',
        'content-length': String(size),
        'x-image-meta-name': name,
        'x-image-meta-is_public': 'True',
        'x-image-meta-size': String(size),
        ...Object.fromEntries(
          Object.entries(facts).map(([key, value]) => [`x-image-meta-${key}`, String(value)]),
        ),
      },
      body: typeof source === 'string' ? createReadStream(source) : source,
      timeoutMs: UPLOAD_TIMEOUT_MS,
    })) as { image: { id: string } };
    return image.id;
  };
}
