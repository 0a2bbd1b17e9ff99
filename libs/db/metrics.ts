import { counter, gauge } from '@folsom/core';

export const databaseMetrics = {
  pool: gauge(
    'folsom_db_connections',
    'Connections of a process to a database: in use, idle, and requests that wait for one (waiting). SQLite has one that writes.',
    ['database', 'state'],
  ),
  retries: counter(
    'folsom_db_retries_total',
    'Transactions and statements that were begun again after a deadlock or a lost connection.',
    ['database', 'cause'],
  ),
};
