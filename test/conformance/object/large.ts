import { systemClock } from '@folsom/core';
import { type Case, step } from '../suite.ts';

const segments = ['one-', 'two-', 'three'].map((text, n) => step('PUT', `{c}/s/${n}`, 201, { body: text }));
const manifest = step('PUT', '{c}/m', 201, {
  headers: { 'x-object-manifest': '{c}/s/', 'content-type': 'a/b', 'x-object-meta-a': 'b' },
});
const WHOLE = 'one-two-three';
const listed = step(
  'GET',
  '{c}',
  { status: 200, lines: ['s/0', 's/1', 's/2'] },
  { query: 'prefix=s/', eventually: true },
);

export const manifests: readonly Case[] = [
  {
    name: 'an object of segments',
    needs: ['manifests'],
    steps: [
      ...segments,
      manifest,
      listed,
      step('GET', '{c}/m', {
        status: 200,
        text: WHOLE,
        headers: {
          'content-length': '13',
          'content-type': 'a/b',
          'x-object-meta-a': 'b',
          'x-object-manifest': '{c}/s/',
        },
      }),
      step('HEAD', '{c}/m', { status: 200, headers: { 'content-length': '13' } }),
      step(
        'GET',
        '{c}/m',
        { status: 206, text: '-two-', headers: { 'content-range': 'bytes 3-7/13' } },
        { headers: { range: 'bytes=3-7' } },
      ),
      step('GET', '{c}/m', { status: 206, text: 'three' }, { headers: { range: 'bytes=-5' } }),
      step('GET', '{c}/m', 416, { headers: { range: 'bytes=13-' } }),
      step('PUT', '{c}/s/3', 201, { body: '!' }),
      step('GET', '{c}/m', { status: 200, text: `${WHOLE}!` }, { eventually: true }),
      step('COPY', '{c}/m', 201, { headers: { destination: '{c}/whole' } }),
      step('GET', '{c}/whole', { status: 200, text: `${WHOLE}!`, headers: { 'x-object-manifest': null } }),
      step('DELETE', '{c}/m', 204),
      step('GET', '{c}/s/0', 200),
    ],
  },
  {
    name: 'manifests of nothing, and bad ones',
    needs: ['manifests'],
    steps: [
      step('PUT', '{c}/m', 201, { headers: { 'x-object-manifest': '{c}/none/' } }),
      step('GET', '{c}/m', { status: 200, text: '', headers: { 'content-length': '0' } }),
      step('PUT', '{c}/m', 201, { headers: { 'x-object-manifest': '{c}-none/s/' } }),
      step('GET', '{c}/m', { status: [200, 404] }),
      ...['noslash', '/lead', '{c}/a?b', '{c}/a&b', '{c}/'].map(value =>
        step('PUT', '{c}/m', 400, { headers: { 'x-object-manifest': value } }),
      ),
    ],
  },
];

export const versions: readonly Case[] = [
  {
    name: 'versions of an object',
    needs: ['versions'],
    steps: [
      step('PUT', '{c}-old', 201),
      step('POST', '{c}', 204, { headers: { 'x-versions-location': '{c}-old' } }),
      step('HEAD', '{c}', { status: 204, headers: { 'x-versions-location': '{c}-old' } }),
      step('PUT', '{c}/o', 201, { body: 'first', headers: { 'x-object-meta-n': '1' } }),
      step('PUT', '{c}/o', 201, { body: 'second' }),
      step('PUT', '{c}/o', 201, { body: 'third' }),
      step('GET', '{c}/o', { status: 200, text: 'third' }),
      step(
        'GET',
        '{c}-old',
        { status: 200, text: /^001o\/\d+\.\d+\n001o\/\d+\.\d+\n$/ },
        { eventually: true },
      ),
      step('DELETE', '{c}/o', 204),
      step('GET', '{c}/o', { status: 200, text: 'second' }),
      step('GET', '{c}-old', { status: 200, text: /^001o\/\d+\.\d+\n$/ }, { eventually: true }),
      step('DELETE', '{c}/o', 204),
      step('GET', '{c}/o', { status: 200, text: 'first', headers: { 'x-object-meta-n': '1' } }),
      step('GET', '{c}-old', { status: [200, 204], text: '' }, { eventually: true }),
      step('DELETE', '{c}/o', 204),
      step('GET', '{c}/o', 404),
      step('POST', '{c}', 204, { headers: { 'x-versions-location': '' } }),
      step('HEAD', '{c}', { status: 204, headers: { 'x-versions-location': null } }),
    ],
  },
];

const inSeconds = (seconds: number) => Math.floor(systemClock.now() / 1000) + seconds;
/** Long enough for a busy server to store the object before its time has come. */
const LIFE_SECONDS = 4;

export const expiry: readonly Case[] = [
  {
    name: 'objects that expire',
    needs: ['expiry'],
    steps: [
      step('PUT', '{c}/at', 201, {
        body: 'x',
        make: () => ({ headers: { 'x-delete-at': String(inSeconds(LIFE_SECONDS)) } }),
      }),
      step('PUT', '{c}/after', 201, { body: 'x', headers: { 'x-delete-after': String(LIFE_SECONDS) } }),
      step('HEAD', '{c}/after', { status: 200, headers: { 'x-delete-at': /^\d+$/, 'x-delete-after': null } }),
      step('PUT', '{c}/posted', 201, { body: 'x' }),
      step('POST', '{c}/posted', 202, { headers: { 'x-delete-after': String(LIFE_SECONDS) } }),
      step('PUT', '{c}/kept', 201, { body: 'x', headers: { 'x-delete-after': String(LIFE_SECONDS) } }),
      step('POST', '{c}/kept', 202, { headers: { 'x-object-meta-a': 'b' } }),
      ...['at', 'after', 'posted'].map(name => step('GET', `{c}/${name}`, 404, { eventually: true })),
      step('GET', '{c}/kept', 200),
      step('PUT', '{c}/past', 400, { body: 'x', headers: { 'x-delete-at': '1' } }),
      step('PUT', '{c}/bad', 400, { body: 'x', headers: { 'x-delete-at': 'soon' } }),
      step('PUT', '{c}/bad', 400, { body: 'x', headers: { 'x-delete-after': 'later' } }),
      step('POST', '{c}/kept', 400, { headers: { 'x-delete-at': '1' } }),
    ],
  },
];
