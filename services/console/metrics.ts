import { counter, gauge } from '@folsom/core';

export const consoleMetrics = {
  open: gauge('folsom_console_sessions', 'Screens of guests that somebody looks at.', ['proxy']),
  asked: counter(
    'folsom_console_opened_total',
    'Screens that were asked for; outcome is open, refused or failed.',
    ['proxy', 'outcome'],
  ),
};
