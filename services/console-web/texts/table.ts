export type Texts = Readonly<Record<string, readonly [en: string, zh: string]>>;
