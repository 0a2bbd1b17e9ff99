import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { must } from '@folsom/core';
import { headerText, type ImageMeta, type RemoteGlance, remoteGlance } from './remote-glance.ts';

export interface ReplicatorOptions {
  masterToken: string;
  slaveToken: string;
  /** Fields that say nothing about the image itself. */
  dontReplicate: readonly string[];
  metaOnly: boolean;
}

export interface ReplicatorOutput {
  print(line: string): void;
  info(line: string): void;
  warn(line: string): void;
}

export interface ReplicatorCommand {
  /** Names of the arguments, for the help. */
  args: readonly string[];
  help: string;
  run(args: readonly string[], options: ReplicatorOptions, output: ReplicatorOutput): Promise<void>;
}

const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const SERVER = 'server:port';

const NOT_SEEN = (id: string): string =>
  `The slave already has image ${id} but does not show it: the token given may not see all of its images.`;

/** What glance-replicator can do, by name. */
export const REPLICATOR_COMMANDS: Readonly<Record<string, ReplicatorCommand>> = {
  compare: {
    args: ['fromserver:port', 'toserver:port'],
    help: 'What is missing from the slave glance?',
    run: async ([from, to], options, output) => {
      const master = remoteGlance(must(from, 'from is there'), options.masterToken);
      const slave = remoteGlance(must(to, 'to is there'), options.slaveToken);
      for await (const image of master.images()) {
        const copy = await slave.head(image.id);
        if (copy) {
          for (const [key, here, there] of differences(image, copy, options)) {
            output.info(
              `${image.id}: field ${key} differs (source is ${here}, destination is ${there ?? 'undefined'})`,
            );
          }
        } else if (image.status === 'active') {
          output.info(`${image.id}: entirely missing from the destination`);
        }
      }
    },
  },
  dump: {
    args: [SERVER, 'path'],
    help: 'Dump the contents of a glance instance to local disk.',
    run: async ([from, path], options, output) => {
      const master = remoteGlance(must(from, 'from is there'), options.masterToken);
      await mkdir(must(path, 'path is there'), { recursive: true });
      for await (const image of master.images()) {
        output.info(`Considering: ${image.id}`);
        // The name becomes a file: a server must not choose any other place for it.
        if (!UUID.test(image.id)) {
          output.warn(`${JSON.stringify(image.id)} is no image id, skipping`);
          continue;
        }
        const file = join(must(path, 'path is there'), image.id);
        if (existsSync(file)) continue;
        output.info('... storing');
        if (image.status === 'active' && !options.metaOnly) {
          output.info('... image is active');
          await pipeline(await master.data(image.id), createWriteStream(`${file}.img.part`, { mode: 0o600 }));
          await rename(`${file}.img.part`, `${file}.img`);
        }
        // Last: what was cut off is dumped again.
        await writeFile(`${file}.part`, JSON.stringify(image), { mode: 0o600 });
        await rename(`${file}.part`, file);
      }
    },
  },
  livecopy: {
    args: ['fromserver:port', 'toserver:port'],
    help: 'Load the contents of one glance instance into another.',
    run: async ([from, to], options, output) => {
      const master = remoteGlance(must(from, 'from is there'), options.masterToken);
      const slave = remoteGlance(must(to, 'to is there'), options.slaveToken);
      for await (const image of master.images()) {
        output.info(`Considering ${image.id}`);
        const copy = await slave.head(image.id);
        if (copy) {
          if (copy.status === 'active') await updateCopy(slave, image, copy, options, output);
        } else if (image.status === 'active') {
          output.info(`${image.id} is being synced`);
          if (options.metaOnly) continue;
          const made = await slave.add(stripped(image, options), await master.data(image.id));
          if (!made) output.warn(NOT_SEEN(image.id));
        }
      }
    },
  },
  load: {
    args: [SERVER, 'path'],
    help: 'Load the contents of a local directory into glance.',
    run: async ([to, path], options, output) => {
      const slave = remoteGlance(must(to, 'to is there'), options.slaveToken);
      for (const name of (await readdir(must(path, 'path is there')))
        .filter(entry => UUID.test(entry))
        .sort()) {
        output.info(`Considering: ${name}`);
        const image = JSON.parse(
          await readFile(join(must(path, 'path is there'), name), 'utf8'),
        ) as ImageMeta;
        const copy = await slave.head(name);
        if (copy) {
          await updateCopy(slave, image, copy, options, output);
          continue;
        }
        const data = join(must(path, 'path is there'), `${name}.img`);
        if (!existsSync(data)) {
          output.info('... dump is missing image data, skipping');
          continue;
        }
        const { size } = await stat(data);
        const made = await slave.add({ ...stripped(image, options), id: name, size }, createReadStream(data));
        if (!made) output.warn(NOT_SEEN(name));
      }
    },
  },
  size: {
    args: [SERVER],
    help: 'Determine the size of a glance instance if dumped to disk.',
    run: async ([server], options, output) => {
      let bytes = 0;
      let count = 0;
      for await (const image of remoteGlance(must(server, 'server is there'), options.slaveToken).images()) {
        if (image.status !== 'active') continue;
        bytes += Number(image.size);
        count++;
      }
      output.print(`Total size is ${bytes} bytes across ${count} images`);
    },
  },
};

async function updateCopy(
  slave: RemoteGlance,
  image: ImageMeta,
  copy: ImageMeta,
  options: ReplicatorOptions,
  output: ReplicatorOutput,
): Promise<void> {
  if (differences(image, copy, options).length === 0) return;
  output.info('... metadata has changed');
  await slave.update(stripped(image, options));
}

const stripped = (image: ImageMeta, options: ReplicatorOptions): ImageMeta =>
  Object.fromEntries(
    Object.entries(image).filter(([key]) => !options.dontReplicate.includes(key)),
  ) as ImageMeta;

/** Fields of the image whose copy has another value: name, value here, value there. */
function differences(
  image: ImageMeta,
  copy: ImageMeta,
  options: ReplicatorOptions,
): [string, string, string | undefined][] {
  const there = flattened(copy);
  return Object.entries(flattened(stripped(image, options))).flatMap(([key, value]) =>
    // Headers cannot tell nothing from an empty text.
    value === (there[key] ?? '') ? [] : [[key, value, there[key]] as [string, string, string | undefined]],
  );
}

/** Properties beside fields, everything as the text that headers carry. */
const flattened = ({ properties, ...fields }: ImageMeta): Record<string, string> =>
  Object.fromEntries([
    ...Object.entries(fields).map(([key, value]): [string, string] => [key, headerText(value)]),
    ...Object.entries(properties ?? {}).map(([key, value]): [string, string] => [
      `property ${key.toLowerCase()}`,
      headerText(value),
    ]),
  ]);
