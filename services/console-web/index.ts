export { type ConsoleWebOptions, startConsoleWeb } from './console-web.ts';
export { consoleWebOptions } from './options.ts';
export type { BootStep, LogLine, MetricsView, Plot } from './shared.ts';
