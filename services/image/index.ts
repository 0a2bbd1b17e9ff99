export { type ImageApiOptions, startImageApi } from './api.ts';

export { MANAGE_COMMANDS, type ManageCall, runCacheManage } from './cache/manage-commands.ts';
export { imageNotHonoured } from './not-honoured.ts';
export { imageDeclarations, imageOptions, pasteOptions, storeOptions } from './options.ts';
export { type RegistryOptions, startRegistry } from './registry/app.ts';
export type { Registry } from './registry/registry.ts';
export { remoteRegistry } from './registry/remote.ts';
export { configuredCache, runPrefetcher, runScrubber, type ToolParts } from './tools.ts';
