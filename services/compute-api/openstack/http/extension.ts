import { readdirSync } from 'node:fs';
import { extendTemplate, namespacesOf } from '@folsom/wire/nova-xml';
import type { Additions, Caller, Extension, Registry } from './api.ts';

const present = <T>(items: readonly (T | undefined)[]): T[] =>
  items.filter(item => item !== undefined) as T[];

export function registryOf(extensions: readonly Extension[]): Registry {
  const sorted = [...extensions].sort((a, b) => (a.alias < b.alias ? -1 : 1));
  const aliases = new Set(sorted.map(extension => extension.alias));
  if (aliases.size !== sorted.length) throw new Error('two extensions have the same alias');
  const additionsOf = (kind: keyof NonNullable<Additions['xml']>) =>
    present(sorted.map(extension => extension.xml?.[kind]));
  const seen = (caller: Caller) => sorted.filter(extension => extension.seesServers?.(caller) ?? true);
  return {
    extensions: sorted,
    server: caller => present(seen(caller).map(extension => extension.server)),
    serverCreated: caller => present(seen(caller).map(extension => extension.serverCreated)),
    flavor: present(sorted.map(extension => extension.flavor)),
    image: present(sorted.map(extension => extension.image)),
    limits: present(sorted.map(extension => extension.limits)),
    attributes: present(sorted.map(extension => extension.attributes)),
    xml: (kind, element) => extendTemplate(element, additionsOf(kind)),
    namespaces: kind => namespacesOf(additionsOf(kind)),
  };
}

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
