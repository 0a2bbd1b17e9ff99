// Loaded before a program of a lab's host (`node --import`): its clock is as many milliseconds off as the file says that
// FOLSOM_LAB_CLOCK names. Time that only goes on, by which pauses are measured, is as it is.
import { readFileSync } from 'node:fs';

const LOOK_MS = 500;
const file = process.env.FOLSOM_LAB_CLOCK ?? '';
const now = Date.now;
let offMs = 0;

function look() {
  try {
    offMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offMs = 0;
  }
}

look();
setInterval(look, LOOK_MS).unref();
Date.now = () => now() + offMs;
