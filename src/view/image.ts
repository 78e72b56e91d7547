// One row over the image whose patches are its keys: what has little weight lies under a veil.

import type { Room } from "./map";
import type { Picture, Scene } from "./scene";
import { weightAt } from "./shown";
import type { PictureSource } from "./types";

const VEIL = 0.82;

/** In pixels; 0 × 0 while it is on its way. */
export function sizeOf(source: PictureSource): [width: number, height: number] {
  const { naturalWidth, naturalHeight, videoWidth, videoHeight } = source as Partial<
    HTMLImageElement & HTMLVideoElement
  >;
  const size = (...given: unknown[]) => Number(given.find((each) => typeof each === "number") ?? 0);
  return [
    size(naturalWidth, videoWidth, source.width),
    size(naturalHeight, videoHeight, source.height),
  ];
}

/** How much of a row's weight each patch has; of the largest one. */
export function patchShares({ maps, shown }: Scene, row: number): Float32Array {
  const { rows, columns, first } = maps.image!;
  const weights = Float32Array.from({ length: rows * columns }, (_, patch) =>
    weightAt(shown, row, first + patch),
  );
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0) || 1;
  return weights.map((weight) => Math.max(weight, 0) / largest);
}

export function imagePicture(scene: Scene, room: Room): Picture {
  const { source, rows, columns, first } = scene.maps.image!;
  const [sourceWidth, sourceHeight] = sizeOf(source);
  const ratio = sourceWidth && sourceHeight ? sourceWidth / sourceHeight : columns / rows;
  const width = Math.floor(Math.min(room.width, room.height * ratio));
  const height = Math.floor(width / ratio);
  const [w, h] = [width / columns, height / rows];
  const { row, column } = scene.at;
  return {
    width,
    height,
    reveal: ({ x, y }) => [x, y],
    steps: [
      { row: 0, column: 1 },
      { row: 0, column: columns },
    ],
    hit({ x, y }, [px, py], near) {
      const [across, down] = [Math.floor((px + x) / w), Math.floor((py + y) / h)];
      const inside = across >= 0 && down >= 0 && across < columns && down < rows;
      if (!inside && !near) return undefined;
      const within = (at: number, count: number) => Math.min(Math.max(at, 0), count - 1);
      return { row, column: first + within(down, rows) * columns + within(across, columns) };
    },
    paint(context, frame) {
      const { palette, looking, locked } = scene;
      context.fillStyle = palette.paper;
      context.fillRect(0, 0, frame.width, frame.height);
      if (sourceWidth) context.drawImage(source as CanvasImageSource, 0, 0, width, height);
      const box = (patch: number) =>
        [(patch % columns) * w, Math.floor(patch / columns) * h, w, h] as const;
      patchShares(scene, row).forEach((share, patch) => {
        context.globalAlpha = VEIL * (1 - share);
        context.fillRect(...box(patch));
      });
      context.globalAlpha = 1;
      const patch = column - first;
      if (!looking || patch < 0 || patch >= rows * columns) return;
      context.strokeStyle = locked ? palette.accent : palette.ink;
      context.lineWidth = 3;
      context.strokeRect(...box(patch));
    },
  };
}
