/** Declarations: an option stands in one place with its name, type, default and help. */

export type OptionKind = 'str' | 'int' | 'float' | 'bool' | 'list' | 'multi';

export interface Option<T> {
  readonly kind: OptionKind;
  readonly default: T;
  readonly help: string;
  /** Masked wherever it would be shown. */
  readonly secret: boolean;
  /** Older names that files may still use. */
  readonly aliases: readonly string[];
  /** One-letter form on the command line. */
  readonly short: string | undefined;
  /** The only values allowed (str). */
  readonly choices: readonly string[] | undefined;
  /** Inclusive bounds (int, float). */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface OptionExtras {
  aliases?: readonly string[];
  short?: string;
  choices?: readonly string[];
  min?: number;
  max?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: any option fits the table, its type is kept by inference
export type OptionTable = Record<string, Option<any>>;

/** The values of a group, as {@link Config.of} gives them. */
export type OptionValues<T extends OptionTable> = {
  readonly [Name in keyof T]: T[Name] extends Option<infer Value> ? Value : never;
};

export interface OptionGroup<T extends OptionTable = OptionTable> {
  /** Section of the file: `DEFAULT`, `keystone_authtoken`, `sql` ... */
  readonly group: string;
  readonly options: T;
}

/** Declares options of one section. A section may be declared in several places; each sees its own options. */
export const options = <const T extends OptionTable>(group: string, table: T): OptionGroup<T> => ({
  group,
  options: table,
});

function make<T>(
  kind: OptionKind,
  fallback: T,
  help: string,
  extras: OptionExtras = {},
  secret = false,
): Option<T> {
  return {
    kind,
    default: fallback,
    help,
    secret,
    aliases: extras.aliases ?? [],
    short: extras.short,
    choices: extras.choices,
    min: extras.min,
    max: extras.max,
  };
}

/** Text. The default may be null (not set) and may refer to other options (`$my_ip`). */
export function str(fallback: string, help?: string, extras?: OptionExtras): Option<string>;
export function str(fallback: null, help?: string, extras?: OptionExtras): Option<string | null>;
export function str(fallback: string | null, help = '', extras?: OptionExtras): Option<string | null> {
  return make<string | null>('str', fallback, help, extras);
}

/** Text that is masked in logs, help and dumps. */
export function secret(fallback: string, help?: string, extras?: OptionExtras): Option<string>;
export function secret(fallback: null, help?: string, extras?: OptionExtras): Option<string | null>;
export function secret(fallback: string | null, help = '', extras?: OptionExtras): Option<string | null> {
  return make<string | null>('str', fallback, help, extras, true);
}

export function int(fallback: number, help?: string, extras?: OptionExtras): Option<number>;
export function int(fallback: null, help?: string, extras?: OptionExtras): Option<number | null>;
export function int(fallback: number | null, help = '', extras?: OptionExtras): Option<number | null> {
  return make<number | null>('int', fallback, help, extras);
}

export function float(fallback: number, help?: string, extras?: OptionExtras): Option<number>;
export function float(fallback: null, help?: string, extras?: OptionExtras): Option<number | null>;
export function float(fallback: number | null, help = '', extras?: OptionExtras): Option<number | null> {
  return make<number | null>('float', fallback, help, extras);
}

export const bool = (fallback: boolean, help = '', extras?: OptionExtras): Option<boolean> =>
  make('bool', fallback, help, extras);

/** A TCP or UDP port. */
export const port = (fallback: number, help = '', extras?: OptionExtras): Option<number> =>
  make('int', fallback, help, { min: 0, max: 65_535, ...extras });

/** Comma separated, the last assignment wins. */
export function list(
  fallback: readonly string[],
  help?: string,
  extras?: OptionExtras,
): Option<readonly string[]>;
export function list(fallback: null, help?: string, extras?: OptionExtras): Option<readonly string[] | null>;
export function list(
  fallback: readonly string[] | null,
  help = '',
  extras?: OptionExtras,
): Option<readonly string[] | null> {
  return make<readonly string[] | null>('list', fallback, help, extras);
}

/** May be given several times; all assignments count, in order. */
export const multi = (
  fallback: readonly string[],
  help = '',
  extras?: OptionExtras,
): Option<readonly string[]> => make('multi', fallback, help, extras);

/** Options that every program understands. */
export const commonOptions = options('DEFAULT', {
  verbose: bool(false, 'Print more verbose output', { short: 'v' }),
  debug: bool(false, 'Print debugging output', { short: 'd' }),
  log_file: str(
    null,
    'File to write logs to; standard error if none is set. One that logrotate moves away is begun anew',
    {
      aliases: ['logfile'],
    },
  ),
  log_dir: str(null, 'Directory of the log file; alone: of PROGRAM.log', { aliases: ['logdir'] }),
  use_syslog: bool(false, 'Log to syslog, and to the log file if one is named'),
  syslog_log_facility: str('LOG_USER', 'Facility of those lines'),
  default_log_levels: list(
    [
      'amqplib=WARN',
      'sqlalchemy=WARN',
      'boto=WARN',
      'suds=INFO',
      'keystone=INFO',
      'eventlet.wsgi.server=WARN',
    ],
    'Levels of single services, as nova.compute=DEBUG; names of what we do not have do nothing',
  ),
  otlp_endpoint: str(
    null,
    'Collector that spans of requests and messages are sent to, as http://127.0.0.1:4318',
  ),
  metrics_port: port(0, 'Port on which the program tells Prometheus of itself, path /metrics; 0 for none'),
  metrics_listen: str('127.0.0.1', 'Address of that port: whoever reaches it is told without a login'),
});
