/** name, created_at, size, content type, etag. A content type of null marks a rolled-up directory. */
export type ListedObject = [string, string, number, string | null, string];

/** name, objects, bytes, 1 for a rolled-up directory. */
export type ListedContainer = [string, number, number, 0 | 1];
