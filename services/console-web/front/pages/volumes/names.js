export const nameOf = row => row.display_name || row.id;
