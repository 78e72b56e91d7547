// The element's style; a page sets --attention-view-… and ::part(…).

import { make } from "./dom";

const DARK = `--dark: 1; color-scheme: dark;
--i: var(--attention-view-ink, #efedf5); --s: var(--attention-view-soft, #a9a4ba);
--p: var(--attention-view-paper, #1e1b29); --l: var(--attention-view-line, #5c5672);
--a: var(--attention-view-accent, #f2739f);`;

const STYLE = `
:host { display: block; color-scheme: light;
--i: var(--attention-view-ink, #1b1926); --s: var(--attention-view-soft, #5d596b);
--p: var(--attention-view-paper, #fff); --l: var(--attention-view-line, #b9b4c8);
--a: var(--attention-view-accent, #b5366a);
font: var(--attention-view-font, 14px/1.45 system-ui, sans-serif); color: var(--i); }
@media (prefers-color-scheme: dark) { :host(:not([theme=light])) { ${DARK} } }
:host([theme=dark]) { ${DARK} }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
[part=view] { background: var(--p); }
p, ol, fieldset { margin: 0; padding: 0; border: 0; min-width: 0; }
[part=toolbar] { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .9rem; margin-bottom: .6rem; }
fieldset { display: flex; flex-wrap: wrap; gap: .35rem; }
label { display: inline-flex; align-items: center; gap: .35rem; cursor: pointer; }
input { accent-color: var(--a); margin: 0; }
[part=button] { min-height: 1.9rem; min-width: 1.9rem; padding: 0 .6rem; font: inherit; color: inherit; background: none;
border: 1px solid var(--l); border-radius: .4rem; cursor: pointer; }
[part=button]:hover { border-color: var(--i); }
[part=button][aria-pressed=true] { color: var(--p); background: var(--i); }
:focus-visible { outline: 2px solid var(--a); outline-offset: 2px; }
[part=overview] { display: grid; grid-template-columns: repeat(var(--across), minmax(2.4rem, 4rem)); gap: .25rem;
max-height: 19rem; margin-bottom: .7rem; padding: 2px; overflow: auto; }
[part=thumbnail] { position: relative; flex-direction: column; gap: .1rem; padding: 3px; font-size: .72rem; color: var(--s);
border: 2px solid transparent; border-radius: .35rem; white-space: nowrap; }
[part=thumbnail]:last-child:not(:first-child) { grid-column-end: -1; }
[part=thumbnail] input { position: absolute; opacity: 0; }
[part=thumbnail] canvas { width: 100%; aspect-ratio: 1; image-rendering: pixelated; border-radius: .2rem; }
[part=thumbnail]:has(:checked) { color: var(--i); border-color: var(--a); }
[part=thumbnail]:has(:focus-visible) { outline: 2px solid var(--i); }
[part=axes] { color: var(--s); font-size: .85em; margin-bottom: .2rem; }
[part=stage] { width: 100%; max-height: var(--attention-view-height, 34rem); overflow: auto; color: var(--s);
background: var(--p); border: 0 solid var(--l); outline-color: var(--a); caret-color: var(--i); border-radius: .2rem; }
.space { min-width: 100%; }
[part=canvas] { position: sticky; left: 0; top: 0; display: block; cursor: crosshair; }
[part=scale] { display: flex; align-items: center; gap: .5rem; max-width: 22rem; margin: .5rem 0; font-size: .85em; color: var(--s); }
[part=scale] canvas { flex: 1; min-width: 0; height: .6rem; border-radius: 1rem; }
[part=reading] { display: block; min-height: 1.5em; font-weight: 600; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
#hint, [part=note] { color: var(--s); font-size: .85em; }
section { margin-top: .8rem; padding-top: .6rem; border-top: 1px solid var(--l); }
[part=title] { font-weight: 600; overflow-wrap: anywhere; }
.beside { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: .4rem 0; }
.scroll { max-height: 16rem; max-width: 100%; overflow: auto; margin: .3rem 0; }
table { border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: .1rem .9rem .1rem 0; font-weight: 400; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; }
thead th { position: sticky; top: 0; color: var(--s); background: var(--p); }
ol { padding-left: 1.4rem; flex: 1 1 15rem; font-variant-numeric: tabular-nums; }
[part=row] { display: flex; align-items: center; gap: .6rem; margin: .5rem 0; }
[part=row] input { flex: 1; min-width: 0; max-width: 24rem; }
`;

/** As a sheet of its own where there are such, which needs no leave of a Content-Security-Policy. */
export function dress(root: ShadowRoot): void {
  if ("adoptedStyleSheets" in root && "replaceSync" in CSSStyleSheet.prototype) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } else (root as ShadowRoot).append(make("style", {}, STYLE));
}
