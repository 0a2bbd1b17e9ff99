/** A document of the metadata service: folders, lists and texts. */
export type Tree = { [name: string]: Tree } | readonly string[] | string;

/** Name of a folder in its parent's listing where it differs from `name/`. */
export const LISTED_AS = '_name';

/** What is at a path; undefined where nothing is. A list counts as a folder of its texts, as in the original. */
export function find(tree: Tree, path: readonly string[]): Tree | undefined {
  let at: Tree | undefined = tree;
  for (const part of path) {
    if (at === undefined || typeof at === 'string') return undefined;
    if (Array.isArray(at)) return undefined;
    const folder = at as { [name: string]: Tree };
    at = Object.hasOwn(folder, part) && part !== LISTED_AS ? folder[part] : undefined;
  }
  return at;
}

/** A text as it is, a list by lines, a folder as a listing. */
export function print(tree: Tree): string {
  if (typeof tree === 'string') return tree;
  if (Array.isArray(tree)) return tree.join('\n');
  return Object.entries(tree)
    .filter(([name]) => name !== LISTED_AS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, item]) => {
      if (typeof item === 'string' || Array.isArray(item)) return name;
      const listed = (item as { [name: string]: Tree })[LISTED_AS];
      return typeof listed === 'string' ? listed : `${name}/`;
    })
    .join('\n');
}

/** JSON with the blanks Python puts after `,` and `:`. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    const items = Object.entries(value).map(([key, item]) => `${pythonText(key)}: ${pythonJson(item)}`);
    return `{${items.join(', ')}}`;
  }
  return typeof value === 'string' ? pythonText(value) : JSON.stringify(value);
}

/** ASCII only, as Python writes it. */
const pythonText = (text: string): string =>
  JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
