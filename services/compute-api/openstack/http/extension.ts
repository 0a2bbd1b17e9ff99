import { readdirSync } from 'node:fs';
import { extendTemplate } from '@folsom/wire/nova-xml';
import { keysOf, type Parts, type Writer, writerOf, xmlOf } from '@folsom/wire/view';
import type { Caller, Extension, Registry, Shown } from './api.ts';

const present = <T>(items: readonly (T | undefined)[]): T[] =>
  items.filter(item => item !== undefined) as T[];

/** The resources that extensions may add to. */
const RESOURCES = ['server', 'serverCreated', 'flavor', 'image'] as const satisfies (keyof Shown)[];

export function registryOf(extensions: readonly Extension[]): Registry {
  const sorted = [...extensions].sort((a, b) => (a.alias < b.alias ? -1 : 1));
  const aliases = new Set(sorted.map(extension => extension.alias));
  if (aliases.size !== sorted.length) throw new Error('two extensions have the same alias');
  const adding = (resource: keyof Shown) => sorted.filter(extension => extension[resource] !== undefined);
  const writers = Object.fromEntries(
    RESOURCES.map(resource => [
      resource,
      adding(resource).map(extension => ({
        seenBy: extension.seenBy,
        write: writerOf((extension[resource] ?? {}) as Parts<never>),
      })),
    ]),
  );
  /** Who sees what is asked once a request, however many things are listed. */
  const asked = new WeakMap<Caller, Map<keyof Shown, readonly Writer<never>[]>>();
  return {
    extensions: sorted,
    added: <Resource extends keyof Shown>(resource: Resource, caller: Caller) => {
      const found = asked.get(caller) ?? new Map<keyof Shown, readonly Writer<never>[]>();
      asked.set(caller, found);
      const kept = found.get(resource);
      if (kept) return kept as readonly Writer<Shown[Resource]>[];
      const seen = (writers[resource] ?? []).flatMap(({ seenBy, write }) =>
        seenBy?.(caller) === false ? [] : [write as unknown as Writer<Shown[Resource]>],
      );
      found.set(resource, seen);
      return seen;
    },
    limits: present(sorted.map(extension => extension.limits)),
    attributes: present(sorted.map(extension => extension.attributes)),
    keys: resource => adding(resource).map(extension => keysOf(extension[resource] ?? {})),
    xml: (resource, element) =>
      extendTemplate(
        element,
        adding(resource).map(extension => xmlOf(extension[resource] ?? {})),
      ),
    namespaces: resource =>
      Object.fromEntries(
        sorted
          .filter(({ alias, [resource]: parts }) =>
            resource === 'limits' ? parts !== undefined : hasPrefix(parts, alias),
          )
          .map(({ alias, namespace }) => [alias, namespace]),
      ),
  };
}

/** The prefix of an extension's keys is its alias. */
const hasPrefix = (parts: object | undefined, alias: string): boolean =>
  Object.keys(parts ?? {}).some(key => key.startsWith(`${alias}:`));

/** Every extension whose file lies in the folder. */
export async function readExtensions(folder: URL): Promise<Extension[]> {
  const files = readdirSync(folder)
    .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .sort();
  return Promise.all(
    files.map(async file => {
      const module = (await import(new URL(file, folder).href)) as { extension?: Extension };
      if (!module.extension) throw new Error(`extensions/${file} exports no extension`);
      return module.extension;
    }),
  );
}

/**
 * The extensions the operator wants: all of them for `standard_extensions`, those named in `osapi_compute_ext_list` for
 * `select_extensions`.
 */
export function chosenExtensions(
  all: readonly Extension[],
  factories: readonly string[],
  list: readonly string[],
): Extension[] {
  if (factories.length === 0) return [];
  if (factories.some(factory => factory.endsWith('.standard_extensions'))) return [...all];
  const plain = (name: string) => name.replace(/.*\./, '').replace(/[_-]/g, '').toLowerCase();
  const wanted = new Set(list.map(plain));
  return all.filter(extension => wanted.has(plain(extension.name)) || wanted.has(plain(extension.alias)));
}
