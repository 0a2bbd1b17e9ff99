import type { XmlElement } from '@folsom/wire';
import type { StaticDecode, TObject, TProperties } from 'typebox';
import type { Booted, BootRequest } from '../../domain/boot-request.ts';
import type { ServerChanges } from '../../domain/rebuild.ts';
import type { Caller, ServerAttributes } from './api.ts';

/** Attributes that an extension adds to the bodies of the server resource. */
interface Declared<Server extends TProperties, Beside extends TProperties> {
  /** In `server` of a boot. */
  shape?: Server;
  /** Beside `server` in a boot. */
  beside?: Beside;
  /** What they ask of a boot; keys that are left out stay as they were. */
  readBoot?(
    server: StaticDecode<TObject<Server>>,
    beside: StaticDecode<TObject<Beside>>,
  ): Partial<BootRequest>;
  /** Answers a boot in its own way: a document in place of the server. */
  answerBoot?(server: StaticDecode<TObject<Server>>, booted: Booted, caller: Caller): object | undefined;
  /** In the bodies of a rebuild, a resize and an update; default none. */
  changeShape?: TProperties;
  /** What they change of a server. */
  readChanges?(body: never): Partial<ServerChanges>;
  /** The XML form of what stands in `server`. */
  readXml?(node: XmlElement): Record<string, unknown>;
}

/** Declares attributes, with values as their shapes read them. */
export const serverAttributes = <
  const Server extends TProperties = Record<never, never>,
  const Beside extends TProperties = Record<never, never>,
>({
  shape,
  beside,
  readBoot,
  answerBoot,
  changeShape,
  readChanges,
  readXml,
}: Declared<Server, Beside>): ServerAttributes => ({
  shape: shape ?? {},
  beside: beside ?? {},
  readBoot: (readBoot ?? (() => ({}))) as ServerAttributes['readBoot'],
  answerBoot: (answerBoot ?? (() => undefined)) as ServerAttributes['answerBoot'],
  changeShape: changeShape ?? {},
  readChanges: readChanges ?? (() => ({})),
  readXml: readXml ?? (() => ({})),
});
