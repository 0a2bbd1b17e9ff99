export { IMAGE_API_PORT, type ImageApiOptions, startImageApi } from './api.ts';
export { openImageCache } from './cache/cache.ts';
export { MANAGE_COMMANDS, type ManageCall, runCacheManage } from './cache/manage-commands.ts';
export { imageDeclarations } from './options.ts';
export { REGISTRY_PORT, type RegistryOptions, startRegistry } from './registry/app.ts';
export { localRegistry } from './registry/local.ts';
export type { Registry } from './registry/registry.ts';
export { remoteRegistry } from './registry/remote.ts';
export { configuredCache, runPrefetcher, runScrubber, type ToolParts } from './tools.ts';
