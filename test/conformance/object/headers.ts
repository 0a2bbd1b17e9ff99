import type { Case } from '../suite.ts';
export const apiCases: readonly Case[] = [];
