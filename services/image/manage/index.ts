export { CACHE_MANAGE_FLAGS, CACHE_MANAGE_USAGE } from './cache-manage-options.ts';
export { controlOptions, runControl } from './control.ts';
export { GLANCE_MANAGE_USAGE, runGlanceManage } from './glance-manage.ts';
export { REPLICATOR_COMMANDS } from './replicator.ts';
