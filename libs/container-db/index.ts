export { AccountDb, type AccountStat } from './account.ts';
export { listingAnswer, openToRead, openToWrite, timeOf } from './answers.ts';
export { dbAuditPass } from './auditor.ts';
export { batchOperation } from './batch.ts';
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
export { LISTING_FIELDS, type ListingType, listingType, readListingQuery } from './listing-request.ts';
export { compareNames, type ListingQuery, listRows, plainBounds, prepareListing } from './listing-rows.ts';
export { mergeMetadata, metadataHeaders, metadataOf } from './metadata-headers.ts';
export { openWhenFree } from './open-when-free.ts';
export { DbQuarantined } from './quarantine.ts';
export { replicateOperation } from './replicate-operation.ts';
export { dbReplicationPass, dbReplicatorOptions, isReported, replicationMetrics } from './replicator.ts';
export type { DbHandler, DbOperation, DbRequest } from './request.ts';
export { type DbServerConf, type DbServerOptions, dbServerConf, startDbServer } from './server.ts';
export { databasesOf, eachOf, ownAddresses, usableDevices } from './walk.ts';
