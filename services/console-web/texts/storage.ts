import type { Texts } from './table.ts';

export const STORAGE: Texts = {};
