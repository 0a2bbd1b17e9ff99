import type { Texts } from './table.ts';

export const ACCESS: Texts = {};
