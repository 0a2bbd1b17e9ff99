import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Random, RequestContext } from '@folsom/core';
import { convertDisk } from '@folsom/host/qemu-img';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { powerState } from '@folsom/nova/instance-state';
import { type Guest, snapshotProperties } from '../../driver.ts';
import { computeFault } from '../../faults.ts';
import type { LibvirtConnection } from './connection.ts';
import type { SnapshotFormat } from './disk-rules.ts';
import { type GuestDomains, ifThere } from './domains.ts';
import { readDiskInfo } from './guest-files.ts';

/** Copies a guest's disk into an image, the guest standing still meanwhile: everything it wrote has then arrived. */
export async function snapshotGuest(
  host: {
    libvirt: LibvirtConnection;
    domains: GuestDomains;
    random: Random;
    snapshotsDirectory: string;
    format: SnapshotFormat;
  },
  request: {
    context: RequestContext;
    guest: Guest;
    imageId: string;
    images: ImageClient;
    signal: AbortSignal;
  },
): Promise<void> {
  const { libvirt, domains } = host;
  const { context, guest, images, signal } = request;
  if (!(await domains.exists(guest))) throw computeFault('InstanceNotRunning', { instance_id: guest.uuid });
  const folder = domains.folderOf(guest);
  const info = (await readDiskInfo(folder)).disk;
  if (info === undefined) throw computeFault('DiskNotFound', { location: 'disk' });
  const base = await images.show(context, guest.image_ref).catch(() => undefined);
  const bare = base?.disk_format === 'ami' || base?.container_format === 'ami';
  const format = bare ? 'raw' : host.format;
  const temporary = join(host.snapshotsDirectory, host.random.uuid());
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const running = (await domains.stateOf(guest)) === powerState.running;
  try {
    const out = join(temporary, 'disk');
    if (running) await libvirt.suspend(guest.name);
    try {
      const from = join(folder, 'disk');
      const basesIn = dirname(folder);
      await convertDisk({
        from,
        fromFormat: info.format,
        to: out,
        toFormat: format,
        basesIn,
        shared: true,
        signal,
      });
    } finally {
      if (running) await ifThere(libvirt.resume(guest.name));
    }
    const facts = {
      disk_format: bare ? 'ami' : format,
      container_format: base?.container_format ?? 'bare',
      size: (await stat(out)).size,
      properties: snapshotProperties(guest),
    };
    await images.upload(context, request.imageId, facts, createReadStream(out), signal);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
