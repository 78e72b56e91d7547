// The whole picture as a file.

import { make } from "./dom";
import { sizeOf } from "./image";
import type { Picture, Scene } from "./scene";
import { svgImage, svgLines, svgMap } from "./svg";
import type { AttentionPicture } from "./types";

/** Room for a picture that is exported, drawn at twice its size. */
export const EXPORTED = { width: 2048, height: 2048 };
/** Rows or columns up to which cells of an exported map have room for their words. */
export const READABLE = 128;
const MOST_PIXELS = 4096;

export function svgOf(scene: Scene, picture: AttentionPicture): string {
  if (picture === "lines") return svgLines(scene);
  if (picture === "map") return svgMap(scene);
  const source = scene.maps.image!.source;
  const [width, height] = sizeOf(source);
  const canvas = make("canvas", { width: `${width}`, height: `${height}` });
  canvas.getContext("2d")?.drawImage(source as CanvasImageSource, 0, 0);
  return svgImage(scene, canvas.toDataURL());
}

export function pngOf(picture: Picture): Promise<Blob> {
  const scale = Math.min(2, MOST_PIXELS / Math.max(picture.width, picture.height));
  const canvas = make("canvas");
  canvas.width = Math.ceil(picture.width * scale);
  canvas.height = Math.ceil(picture.height * scale);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.scale(scale, scale);
  picture.paint(context, { width: picture.width, height: picture.height, x: 0, y: 0 });
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new DOMException("no room for the picture")),
    ),
  );
}

export function download(kind: "svg" | "png", content: Blob | string): void {
  const blob =
    typeof content === "string" ? new Blob([content], { type: "image/svg+xml" }) : content;
  const href = URL.createObjectURL(blob);
  make("a", { href, download: `attention.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
