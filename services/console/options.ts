import { list, options } from '@folsom/config';

/** What only the console services read, beside nova's shared options. */
export const consoleOptions = options('DEFAULT', {
  console_allowed_origins: list(
    [],
    'Further web origins (https://dashboard.example.org) whose pages may open a console',
  ),
});
