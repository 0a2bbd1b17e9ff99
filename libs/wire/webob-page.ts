/**
 * The error page of WebOb, which the layers in front of every API of the time answered with: as text or as HTML. Clients read its very
 * words, so that it is written here and nowhere else.
 */
export interface WebobPage {
  status: number;
  /** The status' words, e.g. `Not Found`. */
  reason: string;
  explanation: string;
  detail?: string;
  /** Names the method that is refused, for 405. */
  method?: string;
}

const escapeHtml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** Tags go, newlines inside the texts become blanks. */
const stripTags = (text: string): string =>
  text
    .replace(/\n/g, ' ')
    .replace(/\r/g, '')
    .replace(/<br[^>]*>/gi, '\n')
    .replace(/<!--|-->/g, '')
    .replace(/<[^>]*>/g, '');

function content(
  { status, explanation, detail = '', method = 'GET' }: WebobPage,
  quote: (text: string) => string,
) {
  return status === 405
    ? `The method ${quote(method)} is not allowed for this resource. <br /><br />\n${quote(detail)}`
    : `${quote(explanation)}<br /><br />\n${quote(detail)}\n\n`;
}

const titleOf = ({ status, reason }: WebobPage): string => `${status} ${reason}`;

export const webobText = (page: WebobPage): string =>
  `${titleOf(page)}\n\n${stripTags(content(page, text => text))}`;

export const webobHtml = (page: WebobPage): string =>
  `<html>\n <head>\n  <title>${titleOf(page)}</title>\n </head>\n <body>\n  <h1>${titleOf(page)}</h1>\n  ${content(page, escapeHtml)}\n </body>\n</html>`;

/** The page in the form that an Accept header asks for, with its type. */
export function webobAnswer(page: WebobPage, accept: string | undefined): { type: string; body: string } {
  const html = accept !== undefined && (accept.includes('html') || accept.includes('*/*'));
  return {
    type: `text/${html ? 'html' : 'plain'}; charset=UTF-8`,
    body: html ? webobHtml(page) : webobText(page),
  };
}
