export { commands, MissingParameter } from './commands.ts';
export { listCommands } from './usage.ts';
