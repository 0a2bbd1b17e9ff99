export { type MetadataServiceOptions, startMetadata } from './metadata.ts';
