// Public data for tests lies outside the repository; without it its tests are skipped.

const folder = process.env.DATA_DIR;

/** Options of a test that needs the data. */
export const needsData = { skip: folder ? false : "no data folder: set DATA_DIR" };

export function dataFile(name: string): string {
  return `${folder}/${name}`;
}
