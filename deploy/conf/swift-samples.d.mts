export type StorageKind = 'account' | 'container' | 'object';

/** Lines by section. */
export type Lines = Readonly<Record<string, readonly string[]>>;

export const STORAGE: Readonly<Record<StorageKind, { port: number; daemons: readonly string[] }>>;
export const PROXY_PORT: number;
export function proxySample(more?: Lines): string;
export function storageSample(kind: StorageKind, more?: Lines): string;
export function expirerSample(more?: Lines): string;
