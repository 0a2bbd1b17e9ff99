import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';
import { QUESTIONS } from './questions.ts';

/**
 * Speaks libvirt's C interface from a thread of its own. libvirt keeps its last error per thread, so a call and the
 * question why it failed must come from the same one; calls are made synchronously for that reason, and never from
 * the thread that serves everything else.
 *
 * Messages in: `[id, operation, arguments]`; out: `[id, null, result]` or `[id, { message, code, lost, unsent }, null]`.
 */

const { uri } = workerData as { uri: string };
const library = koffi.load('libvirt.so.0');
koffi.pointer('ConnectPointer', koffi.opaque());
koffi.pointer('DomainPointer', koffi.opaque());
koffi.pointer('FilterPointer', koffi.opaque());
koffi.pointer('SecretPointer', koffi.opaque());
const errorType = koffi.struct('virError', {
  code: 'int',
  domain: 'int',
  message: 'char*',
  level: 'int',
  conn: 'void*',
  dom: 'void*',
  str1: 'char*',
  str2: 'char*',
  str3: 'char*',
  int1: 'int',
  int2: 'int',
  net: 'void*',
});
koffi.struct('NodeInfo', {
  model: koffi.array('char', 32, 'String'),
  memory: 'ulong',
  cpus: 'uint',
  mhz: 'uint',
  nodes: 'uint',
  sockets: 'uint',
  cores: 'uint',
  threads: 'uint',
});
koffi.struct('DomainInfo', {
  state: 'uchar',
  maxMem: 'ulong',
  memory: 'ulong',
  nrVirtCpu: 'ushort',
  cpuTime: 'ulonglong',
});
koffi.struct('BlockStats', {
  readRequests: 'longlong',
  readBytes: 'longlong',
  writeRequests: 'longlong',
  writeBytes: 'longlong',
  errors: 'longlong',
});
koffi.struct('InterfaceStats', {
  receivedBytes: 'longlong',
  receivedPackets: 'longlong',
  receivedErrors: 'longlong',
  receivedDropped: 'longlong',
  sentBytes: 'longlong',
  sentPackets: 'longlong',
  sentErrors: 'longlong',
  sentDropped: 'longlong',
});
const free = koffi.load('libc.so.6').func('void free(void *)');
koffi.disposable('OwnedText', 'str', free);

/** A function of the library; most give a number below 0 where they fail. */
const c = <Result = number>(prototype: string) => library.func(prototype) as (...values: unknown[]) => Result;
/** An object of libvirt's, or null where it could not be had. */
type Handle = object | null;
const libvirt = {
  open: c<Handle>('ConnectPointer virConnectOpen(const char *uri)'),
  close: c('int virConnectClose(ConnectPointer c)'),
  isAlive: c('int virConnectIsAlive(ConnectPointer c)'),
  libVersion: c('int virConnectGetLibVersion(ConnectPointer c, _Out_ ulong *version)'),
  lastError: c<Handle>('virError *virGetLastError()'),
  setErrorHandler: c('void virSetErrorFunc(void *user, void *handler)'),
  version: c('int virConnectGetVersion(ConnectPointer c, _Out_ ulong *version)'),
  hostname: c<string | null>('OwnedText virConnectGetHostname(ConnectPointer c)'),
  capabilities: c<string | null>('OwnedText virConnectGetCapabilities(ConnectPointer c)'),
  nodeInfo: c('int virNodeGetInfo(ConnectPointer c, _Out_ NodeInfo *info)'),
  freeMemory: c<number | bigint>('ulonglong virNodeGetFreeMemory(ConnectPointer c)'),
  listAll: c('int virConnectListAllDomains(ConnectPointer c, _Out_ void **domains, uint flags)'),
  name: c<string>('const char *virDomainGetName(void *d)'),
  release: c('int virDomainFree(void *d)'),
  lookup: c<Handle>('DomainPointer virDomainLookupByName(ConnectPointer c, const char *name)'),
  info: c('int virDomainGetInfo(DomainPointer d, _Out_ DomainInfo *info)'),
  isActive: c('int virDomainIsActive(DomainPointer d)'),
  xml: c<string | null>('OwnedText virDomainGetXMLDesc(DomainPointer d, uint flags)'),
  define: c<Handle>('DomainPointer virDomainDefineXML(ConnectPointer c, const char *xml)'),
  create: c('int virDomainCreate(DomainPointer d)'),
  destroy: c('int virDomainDestroy(DomainPointer d)'),
  undefine: c('int virDomainUndefineFlags(DomainPointer d, uint flags)'),
  shutdown: c('int virDomainShutdown(DomainPointer d)'),
  suspend: c('int virDomainSuspend(DomainPointer d)'),
  resume: c('int virDomainResume(DomainPointer d)'),
  managedSave: c('int virDomainManagedSave(DomainPointer d, uint flags)'),
  attach: c('int virDomainAttachDeviceFlags(DomainPointer d, const char *xml, uint flags)'),
  detach: c('int virDomainDetachDeviceFlags(DomainPointer d, const char *xml, uint flags)'),
  migrate: c(
    'int virDomainMigrateToURI2(DomainPointer d, const char *uri, const char *dataUri, const char *xml, ulong flags, const char *name, ulong bandwidth)',
  ),
  migrateWith: c(
    'int virDomainMigrateToURI3(DomainPointer d, const char *uri, void *params, uint count, uint flags)',
  ),
  addText: c(
    'int virTypedParamsAddString(_Inout_ void **params, _Inout_ int *count, _Inout_ int *room, const char *name, const char *value)',
  ),
  addNumber: c(
    'int virTypedParamsAddULLong(_Inout_ void **params, _Inout_ int *count, _Inout_ int *room, const char *name, ulonglong value)',
  ),
  freeParams: c('void virTypedParamsFree(void *params, int count)'),
  defineSecret: c('SecretPointer virSecretDefineXML(ConnectPointer c, const char *xml, uint flags)'),
  setSecret: c('int virSecretSetValue(SecretPointer s, const char *value, size_t size, uint flags)'),
  lookupSecret: c('SecretPointer virSecretLookupByUUIDString(ConnectPointer c, const char *uuid)'),
  undefineSecret: c('int virSecretUndefine(SecretPointer s)'),
  releaseSecret: c('int virSecretFree(SecretPointer s)'),
  blockStats: c(
    'int virDomainBlockStats(DomainPointer d, const char *disk, _Out_ BlockStats *stats, size_t size)',
  ),
  interfaceStats: c(
    'int virDomainInterfaceStats(DomainPointer d, const char *device, _Out_ InterfaceStats *stats, size_t size)',
  ),
  defineFilter: c<Handle>('FilterPointer virNWFilterDefineXML(ConnectPointer c, const char *xml)'),
  releaseFilter: c('int virNWFilterFree(FilterPointer f)'),
};
// Without a handler of our own libvirt writes every error to standard error.
const quiet = koffi.register(
  () => {},
  koffi.pointer(koffi.proto('void QuietHandler(void *user, void *error)')),
);
libvirt.setErrorHandler(null, quiet);

type Failure = Error & {
  code: number;
  domain: number;
  /** The connection is gone; with `unsent` before the call was made. */
  lost?: boolean;
  unsent?: boolean;
};
let connection: Handle = null;

function lastError(): Failure {
  const pointer = libvirt.lastError();
  const detail = pointer === null ? undefined : (koffi.decode(pointer, errorType) as Partial<Failure>);
  return Object.assign(new Error(detail?.message ?? 'unknown libvirt error'), {
    code: detail?.code ?? -1,
    domain: detail?.domain ?? -1,
  });
}

function connected(): Handle {
  if (connection !== null && libvirt.isAlive(connection) === 1) return connection;
  hangUp();
  connection = libvirt.open(uri);
  if (connection === null) throw Object.assign(lastError(), { lost: true, unsent: true });
  return connection;
}

function hangUp(): void {
  if (connection !== null) libvirt.close(connection);
  connection = null;
}

/** Whether somebody answers at the other end. A socket whose end nobody has noticed still counts as alive. */
const answers = (): boolean => connection !== null && libvirt.libVersion(connection, [0]) === 0;

/** libvirt's domains and codes of failures that may mean the connection itself: rpc and remote; internal, system, rpc. */
const WIRE_DOMAINS: readonly number[] = [7, 13];
const WIRE_CODES: readonly number[] = [1, 38, 39];
const INVALID_CONNECTION = 6;
const NO_SECRET = 66;

const mayBeLost = ({ domain, code }: Failure): boolean =>
  code === INVALID_CONNECTION || (WIRE_DOMAINS.includes(domain) && WIRE_CODES.includes(code));

const checked = (result: number): number => {
  if (result < 0) throw lastError();
  return result;
};
const checkedText = (result: unknown): string => {
  if (typeof result !== 'string') throw lastError();
  return result;
};

function withDomain<T>(name: string, use: (domain: unknown) => T): T {
  const domain = libvirt.lookup(connected(), name);
  if (domain === null) throw lastError();
  try {
    return use(domain);
  } finally {
    libvirt.release(domain);
  }
}

/** Whether there is a process of it, be it one that is just ending. */
const isActive = (domain: unknown): boolean => checked(libvirt.isActive(domain)) === 1;

/** The running guest, or what it is started from next. */
const AFFECT = { live: 1, config: 2 };
/** The same of a description; of a running one for another host, in that form. */
const DESCRIBE = { live: 0, config: 2, migratable: 8 };

/** Moves a domain with what the plain call cannot say: another description, and which disks are sent along. */
function migrateWith(domain: unknown, to: Migration): number {
  const params: unknown[] = [null];
  const count = [0];
  const room = [0];
  const text = (name: string, value: string) => checked(libvirt.addText(params, count, room, name, value));
  try {
    text('migrate_uri', to.dataUri);
    if (to.xml !== undefined) text('destination_xml', to.xml);
    for (const disk of to.disks ?? []) text('migrate_disks', disk);
    if (to.megabytesASecond > 0)
      checked(libvirt.addNumber(params, count, room, 'bandwidth', to.megabytesASecond));
    return checked(libvirt.migrateWith(domain, to.uri, params[0], count[0], to.flags));
  } finally {
    libvirt.freeParams(params[0], count[0]);
  }
}

interface Migration {
  uri: string;
  dataUri: string;
  flags: number;
  megabytesASecond: number;
  xml?: string;
  disks?: string[];
}

type Operation = (...values: never[]) => unknown;
const operations: Record<string, Operation> = {
  version: () => {
    const version = [0];
    checked(libvirt.version(connected(), version));
    return Number(version[0]);
  },
  hostname: () => checkedText(libvirt.hostname(connected())),
  capabilities: () => checkedText(libvirt.capabilities(connected())),
  nodeInfo: () => {
    const info: Record<string, unknown> = {};
    checked(libvirt.nodeInfo(connected(), info));
    return Object.fromEntries(
      Object.entries(info).map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : value]),
    );
  },
  freeMemory: () => Number(libvirt.freeMemory(connected())),
  list: () => {
    const out = [null];
    const count = checked(libvirt.listAll(connected(), out, 0));
    const domains = count === 0 ? [] : (koffi.decode(out[0], koffi.array('void*', count)) as unknown[]);
    const names = domains.map(domain => libvirt.name(domain));
    for (const domain of domains) libvirt.release(domain);
    free(out[0]);
    return names;
  },
  info: (name: string) =>
    withDomain(name, domain => {
      const info: Record<string, number | bigint> = {};
      checked(libvirt.info(domain, info));
      return Object.fromEntries(Object.entries(info).map(([key, value]) => [key, Number(value)]));
    }),
  xml: (name: string) => withDomain(name, domain => checkedText(libvirt.xml(domain, 0))),
  define: (xml: string) => {
    const domain = libvirt.define(connected(), xml);
    if (domain === null) throw lastError();
    libvirt.release(domain);
    return null;
  },
  create: (name: string) =>
    withDomain(name, domain => (isActive(domain) ? 0 : checked(libvirt.create(domain)))),
  destroy: (name: string) =>
    withDomain(name, domain => (isActive(domain) ? checked(libvirt.destroy(domain)) : 0)),
  /** With its saved memory, snapshots' records and firmware variables. */
  undefine: (name: string) => withDomain(name, domain => checked(libvirt.undefine(domain, 1 | 2 | 4))),
  shutdown: (name: string) => withDomain(name, domain => checked(libvirt.shutdown(domain))),
  suspend: (name: string) => withDomain(name, domain => checked(libvirt.suspend(domain))),
  resume: (name: string) => withDomain(name, domain => checked(libvirt.resume(domain))),
  managedSave: (name: string) => withDomain(name, domain => checked(libvirt.managedSave(domain, 0))),
  isActive: (name: string) => withDomain(name, isActive),
  description: (name: string, scope: keyof typeof DESCRIBE) =>
    withDomain(name, domain => checkedText(libvirt.xml(domain, DESCRIBE[scope]))),
  attach: (name: string, xml: string, scope: keyof typeof AFFECT) =>
    withDomain(name, domain => checked(libvirt.attach(domain, xml, AFFECT[scope]))),
  detach: (name: string, xml: string, scope: keyof typeof AFFECT) =>
    withDomain(name, domain => checked(libvirt.detach(domain, xml, AFFECT[scope]))),
  migrate: (name: string, to: Migration) =>
    withDomain(name, domain =>
      to.xml === undefined
        ? checked(libvirt.migrate(domain, to.uri, to.dataUri, null, to.flags, null, to.megabytesASecond))
        : migrateWith(domain, to),
    ),
  defineSecret: (xml: string, value: string) => {
    const secret = libvirt.defineSecret(connected(), xml, 0);
    if (secret === null) throw lastError();
    try {
      checked(libvirt.setSecret(secret, value, Buffer.byteLength(value), 0));
    } finally {
      libvirt.releaseSecret(secret);
    }
    return null;
  },
  undefineSecret: (uuid: string) => {
    const secret = libvirt.lookupSecret(connected(), uuid);
    if (secret === null) {
      const error = lastError();
      if (error.code === NO_SECRET) return null;
      throw error;
    }
    try {
      checked(libvirt.undefineSecret(secret));
    } finally {
      libvirt.releaseSecret(secret);
    }
    return null;
  },
  blockStats: (name: string, disk: string) =>
    withDomain(name, domain => {
      const stats: Record<string, number | bigint> = {};
      checked(libvirt.blockStats(domain, disk, stats, 40));
      return numbers(stats);
    }),
  cardStats: (name: string, device: string) =>
    withDomain(name, domain => {
      const stats: Record<string, number | bigint> = {};
      checked(libvirt.interfaceStats(domain, device, stats, 64));
      return numbers(stats);
    }),
  defineFilter: (xml: string) => {
    const filter = libvirt.defineFilter(connected(), xml);
    if (filter === null) throw lastError();
    libvirt.releaseFilter(filter);
    return null;
  },
};

const numbers = (stats: Record<string, number | bigint>): Record<string, number> =>
  Object.fromEntries(Object.entries(stats).map(([key, value]) => [key, Number(value)]));

/**
 * Makes a call over a connection that works. One that libvirtd's restart has broken since the last call is found out
 * and made anew: before a call that changes something, after one that only asks.
 */
function perform(name: string, values: readonly unknown[]): unknown {
  const operation = operations[name] as ((...all: readonly unknown[]) => unknown) | undefined;
  if (operation === undefined) throw new Error(`no operation ${name}`);
  const old = connection !== null;
  const asks = QUESTIONS.has(name);
  if (old && !asks && !answers()) hangUp();
  try {
    return operation(...values);
  } catch (error) {
    const failure = error as Failure;
    if (failure.lost || !mayBeLost(failure) || answers()) throw failure;
    hangUp();
    if (!old || !asks) throw Object.assign(failure, { lost: true });
  }
  return operation(...values);
}

parentPort?.on('message', (message: [number, string, unknown[]]) => {
  const [id, name, values] = message;
  try {
    parentPort?.postMessage([id, null, perform(name, values)]);
  } catch (error) {
    const { message: text, code, lost, unsent } = error as Failure;
    parentPort?.postMessage([id, { message: text, code: code ?? -1, lost, unsent }, null]);
  }
});
