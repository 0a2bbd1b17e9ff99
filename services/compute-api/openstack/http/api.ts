import type { RequestContext, World } from '@folsom/core';
import type { Operation } from '@folsom/http/operation';
import type { FlavorRow } from '@folsom/nova/flavors';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { XmlElement } from '@folsom/wire';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import type { Parts, Writer } from '@folsom/wire/view';
import type { TProperties } from 'typebox';
import type { Booted, BootRequest } from '../../domain/boot-request.ts';
import type { NovaConfig } from '../../domain/deps.ts';
import type { Domain } from '../../domain/index.ts';
import type { ListedInstance } from '../../domain/instance-details.ts';
import type { ServerChanges } from '../../domain/rebuild.ts';
import type { Format } from './accept.ts';
import type { RateLimiter } from './rate-limits.ts';

// What a request is answered with, and what extensions add to it: the two know each other, so they stand together.

/** What this front end has besides the domain. */
export interface Api {
  domain: Domain;
  config: NovaConfig;
  registry: Registry;
  rateLimiter: RateLimiter | undefined;
  world: World;
  /** Where the application stands; links without a version in their request name the first. */
  mounts: readonly [string, ...string[]];
  /** What links begin with instead of the host that was asked. */
  linkPrefix: string | null;
}

/** Who asks, and what answers need to know of the request: the domain sees the context in it. */
export interface Caller extends RequestContext {
  api: Api;
  /** The notation of the answer. */
  format: Format;
  /** And of the request, if that has any. */
  bodyFormat: Format | undefined;
  /** `http://host:port/v2`: what links are made from. */
  base: string;
  /** The same without the version, for bookmarks. */
  root: string;
  /** The tenant whose URL this is. */
  tenant: string;
  /** As it was sent, for the links of the next page. */
  search: string;
}

export type ComputeOperation = Operation<Domain, Caller>;

/** Attributes that an extension adds to the bodies of the server resource, with their types forgotten. */
export interface ServerAttributes {
  shape: TProperties;
  beside: TProperties;
  readBoot(server: never, beside: never): Partial<BootRequest>;
  answerBoot(server: never, booted: Booted, caller: Caller): object | undefined;
  changeShape: TProperties;
  readChanges(body: never): Partial<ServerChanges>;
  readXml(node: XmlElement): Record<string, unknown>;
}

export type JsonObject = Record<string, unknown>;

/** A server that has just been asked for. */
export type CreatedInstance = Pick<ListedInstance, 'auto_disk_config' | 'groups'>;

/** What extensions add parts to. */
export interface Shown {
  /**
   * Server in show, detail, update and rebuild. Parts see nothing of the request: what they add to an unchanged server is kept for the
   * next one who may see it.
   */
  server: [instance: ListedInstance, api: Api];
  /** Server in the answer to its creation. */
  serverCreated: [instance: CreatedInstance, api: Api];
  flavor: [flavor: FlavorRow, api: Api];
  image: [image: ImageWire, api: Api];
}

/** What an extension may add to the answers of the core resources, in JSON and XML. */
export type Additions = { [Resource in keyof Shown]?: Parts<Shown[Resource]> } & {
  /** Whether the caller sees what is added; asked once a request. Absent: everybody does. */
  seenBy?(caller: Caller): boolean;
  /** The absolute limits. */
  limits?(caller: Caller, absolute: JsonObject): Promise<void> | void;
};

/**
 * One extension: one file in `extensions/`, found by reading the folder. Its alias says when it is loaded; what is not
 * loaded leaves no trace in routes, bodies, answers or XML.
 */
export type Extension = Additions & {
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
};

/** The loaded extensions and what they add. */
export interface Registry {
  extensions: readonly Extension[];
  /** What the caller sees added to a resource. */
  added<Resource extends keyof Shown>(resource: Resource, caller: Caller): readonly Writer<Shown[Resource]>[];
  limits: NonNullable<Additions['limits']>[];
  attributes: readonly ServerAttributes[];
  /** What is added to a resource: its keys, for the reference. */
  keys(resource: keyof Shown): readonly string[];
  /** The element of a resource with what is added to it. */
  xml(resource: keyof Shown, element: XmlTemplate): XmlTemplate;
  /** The namespaces that this needs. */
  namespaces(resource: keyof Shown | 'limits'): Record<string, string>;
}
