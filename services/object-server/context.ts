import type { World } from '@folsom/core';
import { type PathHash, statsOf } from '@folsom/swift';
import type { ServerRequest } from '@folsom/swift-http';
import type { ObjectPlace } from './object-file.ts';
import type { ObjectServerOptions } from './options.ts';
import type { UpdateSender } from './update-sender.ts';

/** What every handler of the object server works with. */
export interface ObjectServerContext {
  options: ObjectServerOptions;
  pathHash: PathHash;
  /** Tells container servers. */
  updates: UpdateSender;
  world: World;
}

/** A request whose path has been read and whose device is there. */
export interface ObjectRequest {
  http: ServerRequest;
  account: string;
  container: string;
  object: string;
  /** Name of the device. */
  deviceName: string;
  place: ObjectPlace;
}

/** Tells the operator why an object went to quarantine. */
export const onQuarantine = (context: ObjectServerContext, place: ObjectPlace) => (why: string) => {
  statsOf(context.world).count('quarantines');
  context.world.log.error('object quarantined', { path: place.directory, name: place.name, why });
};
