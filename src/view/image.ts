// One row over the image whose patches are its keys: what has little weight lies under a veil.

import { type Frame, within } from "./layout";
import { type Picture, type Room, type Scene, strokeBox } from "./scene";
import { weightAt } from "./shown";
import type { PictureSource } from "./types";

const VEIL = 0.82;

/** Calls once an image or a video that is on its way has come. */
export function whenLoaded(source: PictureSource | undefined, draw: () => void): void {
  if (!(source instanceof Element) || sizeOf(source)[0] !== 0) return;
  for (const come of ["load", "loadeddata"]) source.addEventListener(come, draw, { once: true });
}

/** In pixels; 0 while it is on its way. */
function sizeOf(source: PictureSource): [width: number, height: number] {
  const given = source as unknown as Record<string, unknown>;
  const size = (...names: string[]) =>
    Number(names.map((name) => given[name]).find((each) => typeof each === "number") ?? 0);
  return [
    size("naturalWidth", "videoWidth", "width"),
    size("naturalHeight", "videoHeight", "height"),
  ];
}

export function imagePicture(scene: Scene, room: Room): Picture {
  const { source, rows, columns, first } = scene.maps.image!;
  const [sourceWidth, sourceHeight] = sizeOf(source);
  const ratio = sourceWidth / sourceHeight || columns / rows;
  const width = Math.floor(Math.min(room.width, room.height * ratio));
  const height = Math.floor(width / ratio);
  const [w, h] = [width / columns, height / rows];
  const { row, column } = scene.at;
  return {
    width,
    height,
    down: { row: 0, column: columns },
    reveal: ({ x, y }) => [x, y],
    hit({ x, y }: Frame, [px, py], near) {
      const [across, down] = [Math.floor((px + x) / w), Math.floor((py + y) / h)];
      const patch = within(down, rows) * columns + within(across, columns);
      if (!near && patch !== down * columns + across) return undefined;
      return { row, column: first + patch };
    },
    paint(context) {
      const { palette, looking, locked, shown } = scene;
      context.fillStyle = palette.paper;
      context.fillRect(0, 0, width, height);
      if (sourceWidth) context.drawImage(source as CanvasImageSource, 0, 0, width, height);
      // By whole pixels: no seams between veils.
      const box = (patch: number) => {
        const [across, down] = [patch % columns, Math.floor(patch / columns)];
        const [x, y] = [Math.round(across * w), Math.round(down * h)];
        return [x, y, Math.round(across * w + w) - x, Math.round(down * h + h) - y] as const;
      };
      const weights = Array.from({ length: rows * columns }, (_, patch) =>
        weightAt(shown, row, first + patch),
      );
      const largest = weights.reduce((most, weight) => Math.max(most, weight), 1e-9);
      weights.forEach((weight, patch) => {
        context.globalAlpha = VEIL * (1 - weight / largest);
        context.fillRect(...box(patch));
      });
      context.globalAlpha = 1;
      const patch = column - first;
      if (!looking || !(patch in weights)) return;
      strokeBox(context, locked ? palette.accent : palette.ink, 3, box(patch));
    },
  };
}
