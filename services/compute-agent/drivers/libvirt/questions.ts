/** Calls that only ask: they may be made a second time, and have threads of their own. */
export const QUESTIONS: ReadonlySet<string> = new Set([
  'version',
  'hostname',
  'capabilities',
  'nodeInfo',
  'freeMemory',
  'list',
  'info',
  'xml',
  'isActive',
  'description',
  'blockStats',
  'cardStats',
]);
