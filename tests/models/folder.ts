// Real weights for tests lie outside the repository; without them their tests are skipped.

const folder = process.env.MODELS_DIR;

/** Options of a test that needs the models. */
export const needsModels = { skip: folder ? false : "no models folder: set MODELS_DIR" };

export function modelFile(name: string): string {
  return `${folder}/${name}`;
}
