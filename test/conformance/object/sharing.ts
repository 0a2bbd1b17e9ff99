import { systemClock } from '@folsom/core';
import { formBody, signedPath } from '../signing.ts';
import { type Case, step } from '../suite.ts';

const put = step('PUT', '{c}/o', 201, { body: 'hello', headers: { 'content-type': 'a/b' } });
const refused = { status: [401, 403] };

export const access: readonly Case[] = [
  {
    name: 'nobody reads or writes without being let in',
    steps: [
      put,
      ...['GET', 'HEAD', 'PUT', 'POST', 'DELETE'].flatMap(method =>
        ['', '{c}', '{c}/o'].map(path => step(method, path, refused, { as: 'nobody' })),
      ),
      step('COPY', '{c}/o', refused, { as: 'nobody', headers: { destination: '{c}/p' } }),
      step('GET', '{c}/o', refused, { headers: { 'x-auth-token': 'AUTH_tkgarbage' }, as: 'nobody' }),
      step('GET', '{c}/o', { status: 200, text: 'hello' }),
    ],
  },
  {
    name: 'another account reads and writes only what it may',
    needs: ['other user', 'acl'],
    steps: [
      put,
      ...['GET', 'HEAD', 'PUT', 'DELETE'].flatMap(method =>
        ['', '{c}', '{c}/o'].map(path => step(method, path, 403, { as: 'other' })),
      ),
      step('POST', '{c}', 204, { headers: { 'x-container-read': '.r:*,.rlistings' } }),
      step('GET', '{c}/o', { status: 200, text: 'hello' }, { as: 'other' }),
      step('PUT', '{c}/p', 403, { as: 'other', body: 'x' }),
      step('DELETE', '{c}/o', 403, { as: 'other' }),
      step('POST', '{c}', 403, { as: 'other', headers: { 'x-container-meta-a': 'b' } }),
    ],
  },
  {
    name: 'a container that everybody reads',
    needs: ['acl'],
    steps: [
      put,
      step('POST', '{c}', 204, { headers: { 'x-container-read': '.r:*' } }),
      step('GET', '{c}/o', { status: 200, text: 'hello' }, { as: 'nobody', eventually: true }),
      step('HEAD', '{c}/o', 200, { as: 'nobody' }),
      step('GET', '{c}', refused, { as: 'nobody' }),
      step('PUT', '{c}/p', refused, { as: 'nobody', body: 'x' }),
      step('POST', '{c}', 204, { headers: { 'x-container-read': '.r:*,.rlistings' } }),
      step(
        'GET',
        '{c}',
        { status: 200, lines: ['o'], headers: { 'x-container-read': null } },
        { as: 'nobody', eventually: true },
      ),
      step('HEAD', '{c}', { status: 204, headers: { 'x-container-read': '.r:*,.rlistings' } }),
      step('POST', '{c}', 204, { headers: { 'x-container-read': '' } }),
      step('GET', '{c}/o', refused, { as: 'nobody', eventually: true }),
    ],
  },
  {
    name: 'referrers',
    needs: ['acl'],
    steps: [
      put,
      step('POST', '{c}', 204, { headers: { 'x-container-read': '.r:.example.com,.r:-bad.example.com' } }),
      step('GET', '{c}/o', 200, {
        as: 'nobody',
        headers: { referer: 'http://www.example.com/x' },
        eventually: true,
      }),
      step('GET', '{c}/o', refused, { as: 'nobody', headers: { referer: 'http://bad.example.com/x' } }),
      step('GET', '{c}/o', refused, { as: 'nobody', headers: { referer: 'http://other.org/' } }),
      step('GET', '{c}/o', refused, { as: 'nobody' }),
      step('POST', '{c}', 400, { headers: { 'x-container-read': '.r:' } }),
      step('POST', '{c}', 400, { headers: { 'x-container-write': '.r:*' } }),
      step('POST', '{c}', 400, { headers: { 'x-container-read': '.unknown:x' } }),
    ],
  },
];

const soon = (seconds: number) => Math.floor(systemClock.now() / 1000) + seconds;

export const tempUrls: readonly Case[] = [
  {
    name: 'temporary URLs',
    needs: ['tempurl'],
    steps: [
      put,
      step(
        'GET',
        '{c}/o',
        { status: 200, text: 'hello', headers: { 'content-disposition': /^attachment; filename="?o/ } },
        { as: 'nobody', make: (target, path) => ({ path: signedPath(target, 'GET', path) }) },
      ),
      step('HEAD', '{c}/o', 200, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'GET', path) }),
      }),
      step('PUT', '{c}/o', 401, {
        as: 'nobody',
        body: 'x',
        make: (target, path) => ({ path: signedPath(target, 'GET', path) }),
      }),
      step('DELETE', '{c}/o', 401, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'GET', path) }),
      }),
      step('POST', '{c}/o', 401, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'GET', path) }),
      }),
      step('GET', '{c}/o', 401, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'GET', path, { key: 'wrong' }) }),
      }),
      step('GET', '{c}/o', 401, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'GET', path, { expires: soon(-10) }) }),
      }),
      step('GET', '{c}/o', 401, {
        as: 'nobody',
        make: (target, path) => ({ path: `${signedPath(target, 'GET', path)}0` }),
      }),
      step('GET', '{c}/other', 401, {
        as: 'nobody',
        make: (target, path) => ({
          path: signedPath(target, 'GET', path.replace('other', 'o')).replace('/o?', '/other?'),
        }),
      }),
      step('PUT', '{c}/new', 201, {
        as: 'nobody',
        body: 'new',
        make: (target, path) => ({ path: signedPath(target, 'PUT', path) }),
      }),
      step('HEAD', '{c}/new', 200, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'PUT', path) }),
      }),
      step('GET', '{c}/new', 401, {
        as: 'nobody',
        make: (target, path) => ({ path: signedPath(target, 'PUT', path) }),
      }),
      step('GET', '{c}/new', { status: 200, text: 'new' }),
      step(
        'GET',
        '{c}/o',
        { status: 206, text: 'el' },
        {
          as: 'nobody',
          headers: { range: 'bytes=1-2' },
          make: (target, path) => ({ path: signedPath(target, 'GET', path) }),
        },
      ),
    ],
  },
];

export const forms: readonly Case[] = [
  {
    name: 'forms that upload',
    needs: ['formpost'],
    steps: [
      step(
        'POST',
        '{c}/f-',
        { status: 201 },
        {
          as: 'nobody',
          make: (target, path) =>
            formBody(target, path, [
              ['one', 'first'],
              ['two', 'second'],
            ]),
        },
      ),
      step('GET', '{c}/f-one', { status: 200, text: 'first', headers: { 'content-type': 'text/plain' } }),
      step('GET', '{c}/f-two', { status: 200, text: 'second' }),
      step(
        'POST',
        '{c}/f-',
        { status: [302, 303], headers: { location: /^http:\/\/back\.example\/\?status=201&message=$/ } },
        {
          as: 'nobody',
          make: (target, path) =>
            formBody(target, path, [['three', 'x']], { redirect: 'http://back.example/' }),
        },
      ),
      step('POST', '{c}/f-', 401, {
        as: 'nobody',
        make: (target, path) => formBody(target, path, [['no', 'x']], { signature: '0'.repeat(40) }),
      }),
      step('POST', '{c}/f-', 401, {
        as: 'nobody',
        make: (target, path) => formBody(target, path, [['no', 'x']], { expires: soon(-10) }),
      }),
      step(
        'POST',
        '{c}/f-',
        { status: [400, 413, 499] },
        { as: 'nobody', make: (target, path) => formBody(target, path, [['large', 'x'.repeat(2000)]]) },
      ),
      step('POST', '{c}/f-', 400, {
        as: 'nobody',
        make: (target, path) =>
          formBody(
            target,
            path,
            [
              ['m1', 'x'],
              ['m2', 'x'],
            ],
            { maxCount: 1 },
          ),
      }),
      step('GET', '{c}/f-no', 404),
      step('GET', '{c}/f-large', 404),
    ],
  },
];

export const webSites: readonly Case[] = [
  {
    name: 'a container as a web site',
    needs: ['staticweb', 'acl'],
    steps: [
      step('PUT', '{c}/index.html', 201, { body: 'home' }),
      step('PUT', '{c}/dir/index.html', 201, { body: 'sub' }),
      step('PUT', '{c}/404error.html', 201, { body: 'lost' }),
      step('POST', '{c}', 204, {
        headers: {
          'x-container-read': '.r:*',
          'x-container-meta-web-index': 'index.html',
          'x-container-meta-web-error': 'error.html',
        },
      }),
      step(
        'GET',
        '{c}/',
        { status: 200, text: 'home' },
        { as: 'nobody', eventually: true, make: (target, path) => ({ path: `${target.root}/${path}` }) },
      ),
      step('GET', '{c}', 301, { as: 'nobody' }),
      step('GET', '{c}/dir/', { status: 200, text: 'sub' }, { as: 'nobody' }),
      step('GET', '{c}/dir', { status: 301, headers: { location: /\/dir\/$/ } }, { as: 'nobody' }),
      step('GET', '{c}/none', { status: 404, text: 'lost' }, { as: 'nobody' }),
    ],
  },
  {
    name: 'listings of a web site',
    needs: ['staticweb', 'acl'],
    steps: [
      step('PUT', '{c}/a&b.txt', 201, { body: 'x' }),
      step('PUT', '{c}/dir/x', 201, { body: 'x' }),
      step('POST', '{c}', 204, {
        headers: {
          'x-container-read': '.r:*',
          'x-container-meta-web-listings': 'true',
          'x-container-meta-web-listings-css': 'style.css',
        },
      }),
      step(
        'GET',
        '{c}/',
        { status: 200, headers: { 'content-type': /^text\/html/ }, text: /style\.css.*dir\/.*a&amp;b\.txt/s },
        { as: 'nobody', eventually: true },
      ),
      step('GET', '{c}/dir/', { status: 200, text: />x<\/a>/ }, { as: 'nobody' }),
      step('GET', '{c}', { status: 200, text: /^a&b\.txt\n/ }),
    ],
  },
];
