export { AccountDb, type AccountStat } from './account.ts';
export { dbAuditPass } from './auditor.ts';
export { ContainerDb, type ContainerStat, type NameBounds, type ObjectRow } from './container.ts';
export { createDbFile } from './create.ts';
export type { DbStamp } from './database.ts';
export type { ListedContainer, ListedObject } from './listed.ts';
export {
  containersAsJson,
  containersAsText,
  containersAsXml,
  objectJsonItems,
  objectsAsJson,
  objectsAsText,
  objectsAsXml,
  objectXmlItems,
  objectXmlStart,
} from './listing-format.ts';
export { type ListingType, listingType, readListingQuery } from './listing-request.ts';
export { compareNames, type ListingQuery, listRows, plainBounds, prepareListing } from './listing-rows.ts';
export { openWhenFree } from './open-when-free.ts';
export { DbQuarantined } from './quarantine.ts';
export { dbReplicationPass, dbReplicatorOptions, isReported, replicationMetrics } from './replicator.ts';
export {
  type DbHandler,
  type DbRequest,
  type DbServerConf,
  type DbServerOptions,
  dbServerConf,
  listingAnswer,
  mergeMetadata,
  metadataHeaders,
  metadataOf,
  openToRead,
  openToWrite,
  startDbServer,
  timeOf,
} from './server.ts';
export { databasesOf, eachOf, ownAddresses, usableDevices } from './walk.ts';
