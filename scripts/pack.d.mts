export const root: string;
export function npm(folder: string, ...args: string[]): string;
export function pack(target?: string): { tarball: string; files: string[] };
export function consumer(folder: string, tarball: string, template?: string): string;
