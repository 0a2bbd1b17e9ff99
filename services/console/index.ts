export { startConsole } from './console.ts';
export { type ConsoleAuthOptions, startConsoleAuth } from './consoleauth.ts';
export { type NovncProxyOptions, startNovncProxy } from './novncproxy.ts';
export { consoleOptions } from './options.ts';
export { startXvpVncProxy, type XvpVncProxyOptions } from './xvpvncproxy.ts';
