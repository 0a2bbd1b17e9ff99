import { Readable } from 'node:stream';
import type { ImageClient as ComputeImages } from '@folsom/compute-agent';
import { type Clock, pythonIso } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { ImageClient as ApiImages } from '@folsom/nova/image-client';
import type { ImageWire } from '@folsom/nova/rpc/wire';

/** An image service in memory, as the compute API and the compute hosts see it. */
export interface SimulatedImages {
  add(id: string): void;
  forApi: ApiImages;
  forCompute: ComputeImages;
  all(): ImageWire[];
}

export function imageService(clock: Clock): SimulatedImages {
  const stored = new Map<string, { image: ImageWire; data: Buffer }>();
  let serial = 0;
  const get = (id: string) => {
    const found = stored.get(id);
    if (found === undefined) throw novaFault('ImageNotFound', { image_id: id });
    return found;
  };
  const put = (id: string, facts: Partial<ImageWire>): ImageWire => {
    const image: ImageWire = {
      id,
      name: id,
      status: 'active',
      size: 0,
      checksum: null,
      disk_format: 'raw',
      container_format: 'bare',
      min_disk: 0,
      min_ram: 0,
      owner: null,
      is_public: true,
      created_at: pythonIso(clock.now()),
      updated_at: null,
      deleted_at: null,
      deleted: false,
      properties: {},
      ...facts,
    };
    stored.set(id, { image, data: Buffer.alloc(0) });
    return image;
  };
  const copy = (image: ImageWire) => structuredClone(image);
  return {
    add: id => void put(id, {}),
    all: () => [...stored.values()].map(entry => entry.image),
    forApi: {
      show: async (_context, id) => copy(get(id).image),
      list: async () => [...stored.values()].map(entry => copy(entry.image)),
      create: async (_context, facts) => copy(put(`snapshot-${++serial}`, { status: 'queued', ...facts })),
      update: async (_context, id, facts) => copy(Object.assign(get(id).image, facts)),
      delete: async (_context, id) => void stored.delete(get(id).image.id),
    },
    forCompute: {
      show: async (_context, id) => copy(get(id).image),
      download: async (_context, id) => Readable.from([get(id).data]),
      upload: async (_context, id, facts, data) => {
        const chunks: Buffer[] = [];
        for await (const chunk of data) chunks.push(Buffer.from(chunk));
        const entry = get(id);
        entry.data = Buffer.concat(chunks);
        Object.assign(entry.image, { ...facts, status: 'active', size: entry.data.length });
      },
      delete: async (_context, id) => void stored.delete(id),
      findByProperties: async (_context, wanted) =>
        [...stored.values()]
          .map(entry => entry.image)
          .filter(image => Object.entries(wanted).every(([key, value]) => image.properties[key] === value)),
    },
  };
}
