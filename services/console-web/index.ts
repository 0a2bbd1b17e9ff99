export { type ConsoleWebOptions, startConsoleWeb } from './console-web.ts';
export { consoleWebOptions } from './options.ts';
export type { Trace, TraceStep } from './shared.ts';
