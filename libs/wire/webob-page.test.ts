import { expect, it } from 'vitest';
import { webobAnswer, webobHtml, webobText } from './webob-page.ts';

const page = { status: 404, reason: 'Not Found', explanation: 'Nothing\nthere.', detail: '<b>"x" & y</b>' };

it('is text without tags, or HTML in which they are quoted', () => {
  expect(webobText(page)).toBe('404 Not Found\n\nNothing there.\n\n "x" & y  ');
  expect(webobHtml(page)).toBe(
    '<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n' +
      '  Nothing\nthere.<br /><br />\n&lt;b&gt;&quot;x&quot; &amp; y&lt;/b&gt;\n\n\n </body>\n</html>',
  );
});

it('names a refused method', () => {
  const refused = { status: 405, reason: 'Method Not Allowed', explanation: '', method: '<PUT>' };
  expect(webobHtml(refused)).toContain('The method &lt;PUT&gt; is not allowed for this resource.');
});

it('comes in the form that was asked for', () => {
  expect(webobAnswer(page, undefined).type).toBe('text/plain; charset=UTF-8');
  expect(webobAnswer(page, 'application/json').body).toBe(webobText(page));
  for (const accept of ['text/html', '*/*', 'application/xhtml+xml']) {
    expect(webobAnswer(page, accept)).toEqual({ type: 'text/html; charset=UTF-8', body: webobHtml(page) });
  }
});
