/** Most of Folsom's JSON answers name the charset. */
export const JSON_TYPE = 'application/json; charset=UTF-8';
/** What Folsom says of answers without a body. */
export const HTML_TYPE = 'text/html; charset=UTF-8';

/** JSON as bytes: of a text the framework would add a charset to the content type, which Folsom does not name here. */
export const plainJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
