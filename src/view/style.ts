// The element's style; a page sets --attention-view-… and ::part(…).

import { make } from "./dom";

const colours = (...values: string[]) =>
  ["ink", "soft", "paper", "line", "accent"]
    .map((name, at) => `--${name}:var(--attention-view-${name},#${values[at]});`)
    .join("");
const DARK = `${colours("efedf5", "a9a4ba", "1e1b29", "5c5672", "f2739f")}--dark:1;color-scheme:dark`;

const STYLE = `
:host{display:block;${colours("1b1926", "5d596b", "fff", "b9b4c8", "b5366a")}color-scheme:light;
font:var(--attention-view-font,14px/1.45 system-ui,sans-serif);color:var(--ink)}
@media(prefers-color-scheme:dark){:host(:not([theme=light])){${DARK}}}
:host([theme=dark]){${DARK}}
:host([hidden]),[hidden]{display:none!important}
*{box-sizing:border-box}
[part=view]{background:var(--paper)}
p,ol,fieldset,input{margin:0;padding:0;border:0;min-width:0;accent-color:var(--accent)}
[part=toolbar],[part=main],fieldset,label{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem .9rem}
fieldset,label{gap:.35rem;flex-wrap:nowrap;cursor:pointer}
button{min-height:1.9rem;min-width:1.9rem;font:inherit;color:inherit;background:none;border:1px solid var(--line);border-radius:.4rem;cursor:pointer}
[aria-pressed=true]{color:var(--paper);background:var(--ink)}
:focus-visible,label:has(:focus-visible){outline:2px solid var(--accent);outline-offset:1px}
[part=main]{margin:.6rem 0;align-items:start}
[part=overview]{display:grid;grid-template-columns:repeat(var(--across),minmax(var(--least),4rem));gap:.2rem;max-width:100%;max-height:var(--attention-view-height,34rem);padding:3px;overflow:auto}
[part=thumbnail]{position:relative;flex-direction:column;gap:0;padding:3px;font-size:.72rem;color:var(--soft);border:2px solid transparent;border-radius:.35rem;white-space:nowrap}
[part=thumbnail]:last-child{grid-column-end:-1}
[part=thumbnail] input{position:absolute;opacity:0}
[part=thumbnail] canvas{width:100%;aspect-ratio:1;image-rendering:pixelated}
[part=thumbnail]:has(:checked){color:var(--ink);border-color:var(--accent)}
[part=picture]{flex:1 1 30rem;min-width:0}
[part=stage]{max-height:var(--attention-view-height,34rem);overflow:auto;color:var(--soft);background:var(--paper);border:0 solid var(--line);outline-color:var(--accent);caret-color:var(--ink)}
.space{min-width:100%}
[part=canvas]{position:sticky;left:0;top:0;display:block;cursor:crosshair}
[part=row],[part=scale]{display:flex;align-items:center;gap:.5rem;margin:.5rem 0}
[part=scale]{max-width:22rem}
[part=scale] canvas,[part=row] input{flex:1;min-width:0;max-width:24rem;height:.6rem;border-radius:1rem}
[part=note]{color:var(--soft);font-size:.85em}
[part=reading],[part=title]{display:block;min-height:1.5em;font-weight:600;overflow-wrap:anywhere}
section{display:flex;flex-wrap:wrap;gap:.4rem 2rem;margin-top:.8rem;padding-top:.6rem;border-top:1px solid var(--line)}
section p{width:100%}
.scroll{max-height:16rem;max-width:100%;overflow:auto}
table,ol{border-spacing:0;padding-left:1.2em;font-variant-numeric:tabular-nums}
table{padding:0}
th,td{padding:.1rem .9rem .1rem 0;font-weight:400;text-align:right;white-space:nowrap}
:is(th,td):first-child{text-align:left}
thead th{position:sticky;top:0;color:var(--soft);background:var(--paper)}
`;

/** As a sheet of its own where there are such, which needs no leave of a Content-Security-Policy. */
export function dress(root: ShadowRoot): void {
  if ("replaceSync" in CSSStyleSheet.prototype) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } else (root as ShadowRoot).append(make("style", {}, STYLE));
}
