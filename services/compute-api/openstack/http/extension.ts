import { readdirSync } from 'node:fs';
import type { FlavorRow } from '@folsom/nova/flavors';
import { extendTemplate, namespacesOf, type XmlAddition, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { ListedInstance } from '../../domain/instance-details.ts';
import type { ImageView } from '../views/images.ts';
import type { Api, Caller } from './caller.ts';
import type { ComputeOperation } from './front.ts';
import type { ServerAttributes } from './server-attributes.ts';

export type JsonObject = Record<string, unknown>;

/** Sees nothing of the request: what it adds to an unchanged server is kept for the next one who may see it. */
export type ServerAddition = (api: Api, view: JsonObject, instance: ListedInstance) => void;
/** The same for a server that has just been asked for. */
export type CreatedAddition = (
  api: Api,
  view: JsonObject,
  instance: Pick<ListedInstance, 'auto_disk_config' | 'groups'>,
) => void;

/** What an extension may add to the answers of the core resources. */
export interface Additions {
  /** Server in show, detail, update and rebuild. */
  server?: ServerAddition;
  /** Server in the answer to its creation. */
  serverCreated?: CreatedAddition;
  /** Whether the caller sees what is added to servers; asked once a request. Absent: everybody does. */
  seesServers?(caller: Caller): boolean;
  flavor?(caller: Caller, view: JsonObject, flavor: FlavorRow): void;
  image?(caller: Caller, view: JsonObject, image: ImageView): void;
  /** The absolute limits. */
  limits?(caller: Caller, absolute: JsonObject): Promise<void> | void;
  /** How the additions look in XML, by the core resource they belong to. */
  xml?: { server?: XmlAddition; flavor?: XmlAddition; image?: XmlAddition; limits?: XmlAddition };
}

/**
 * One extension: one file in `extensions/`, found by reading the folder. Its alias says when it is loaded; what is not
 * loaded leaves no trace in routes, bodies, answers or XML.
 */
export interface Extension extends Additions {
  alias: string;
  name: string;
  namespace: string;
  updated: string;
  description: string;
  /** Paths of its own resources, which have the original router's routes whether something is behind them or not. */
  resources?: readonly string[];
  /** What it can be asked; from the registry where answers have the form of core resources. */
  operations?: readonly ComputeOperation[] | ((registry: Registry) => readonly ComputeOperation[]);
  /** What it reads from the bodies that boot, rebuild and change servers. */
  attributes?: ServerAttributes;
}

/** The loaded extensions and what they add. */
export interface Registry {
  extensions: readonly Extension[];
  /** What the caller sees added to servers. */
  server(caller: Caller): ServerAddition[];
  /** The same in the answer to their creation. */
  serverCreated(caller: Caller): CreatedAddition[];
  flavor: NonNullable<Additions['flavor']>[];
  image: NonNullable<Additions['image']>[];
  limits: NonNullable<Additions['limits']>[];
  attributes: readonly ServerAttributes[];
  /** The template with the additions for its resource. */
  xml(kind: keyof NonNullable<Additions['xml']>, element: XmlTemplate): XmlTemplate;
  namespaces(kind: keyof NonNullable<Additions['xml']>): Record<string, string>;
}

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
