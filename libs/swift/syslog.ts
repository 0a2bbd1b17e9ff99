import { createSocket } from 'node:dgram';
import { openDatagramSender } from '@folsom/host/unix-datagram';
import { ConfError, type ConfSection } from './swift-conf.ts';

/** Where a program's log lines go besides standard error. */
export interface Syslog {
  /** Takes one line of JSON, which goes out soon, together with others; false if nobody takes it. */
  write(line: string): boolean;
  /** What was taken goes out first. */
  close(): void;
}

const FACILITIES = [
  'KERN',
  'USER',
  'MAIL',
  'DAEMON',
  'AUTH',
  'SYSLOG',
  'LPR',
  'NEWS',
  'UUCP',
  'CRON',
  'AUTHPRIV',
];
const FIRST_LOCAL = 16;
const SEVERITY: Record<string, number> = { debug: 7, info: 6, warn: 4, error: 3 };
/** What a datagram of syslog may carry for sure. */
const TEXT_BYTES_MAX = 8000;

/** `LOG_LOCAL0` → 16. */
export function facilityNumber(name: string): number {
  const short = name.trim().toUpperCase().replace(/^LOG_/, '');
  const local = /^LOCAL([0-7])$/.exec(short);
  const number = local ? FIRST_LOCAL + Number(local[1]) : FACILITIES.indexOf(short);
  if (number < 0) throw new ConfError(`log_facility = ${name}: no such facility`);
  return number;
}

/**
 * The syslog that a section's `log_facility`, `log_address`, `log_udp_host` and `log_udp_port` name; null if nobody
 * listens there. `prefix` (e.g. `access_`) goes before the names of the options that have it.
 * @param name what each line begins with
 * @param lost see {@link SyslogOptions}
 */
export function syslogFrom(
  conf: ConfSection,
  name: string,
  lost: SyslogOptions['lost'],
  prefix = '',
): Syslog | null {
  const option = (of: string): string => (conf.has(`${prefix}${of}`) ? `${prefix}${of}` : of);
  const host = conf.str(option('log_udp_host'), '');
  const port = conf.int(option('log_udp_port'), 514);
  return openSyslog({
    name,
    lost,
    facility: conf.str(option('log_facility'), 'LOG_LOCAL0'),
    to: host === '' ? conf.str(option('log_address'), '/dev/log') : { host, port },
  });
}

export interface SyslogOptions {
  /** What each line begins with. */
  name: string;
  /** e.g. `LOG_LOCAL0` */
  facility: string;
  /** A socket of this host, or a port elsewhere. */
  to: string | { host: string; port: number };
  /** Is given every line that was taken and that nobody wanted in the end: syslog went away meanwhile. */
  lost: (line: string) => void;
}

/** Null if nobody listens there. Throws ConfError for a facility that does not exist. */
export function openSyslog({ name, facility: facilityName, to, lost }: SyslogOptions): Syslog | null {
  const facility = facilityNumber(facilityName);
  const begin = `>${name}: `;
  const send =
    typeof to === 'string'
      ? openDatagramSender(to, text => lost(`${text.slice(text.indexOf(begin) + begin.length)}\n`))
      : toHost(to.host, to.port);
  if (send === null) return null;
  return {
    write: line => {
      const level = /"level":"(\w+)"/.exec(line)?.[1] ?? 'info';
      const text = line.length > TEXT_BYTES_MAX ? `${line.slice(0, TEXT_BYTES_MAX)}...` : line.trimEnd();
      return send.send(`<${facility * 8 + (SEVERITY[level] ?? 6)}${begin}${text}`);
    },
    close: () => send.close(),
  };
}

function toHost(host: string, port: number) {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.unref();
  socket.on('error', () => {});
  return {
    send: (text: string): boolean => {
      socket.send(text, port, host, () => {});
      return true;
    },
    close: () => void socket.close(),
  };
}
