// The package.json that is published: without what only this repository needs, and with the addresses
// that follow from `repository`, the one place that a fork changes.

/** What is of use here alone: `prepare` would build from sources that are not in the tarball. */
const OWN = ["scripts", "imports", "devDependencies", "overrides", "prettier", "files"];

export function published(manifest) {
  const entries = Object.entries(manifest).filter(([name]) => !OWN.includes(name));
  const address = addressOf(manifest);
  return {
    ...Object.fromEntries(entries),
    repository: { type: "git", url: `git+${address}.git` },
    homepage: `${address}#readme`,
    bugs: { url: `${address}/issues` },
  };
}

/** A folder for each entry besides the main one, for tools that know no `exports`: Jest 27, webpack 4. */
export function proxyManifests({ exports }) {
  const entries = Object.entries(exports).flatMap(([entry, { node, types }]) => {
    const name = entry.slice(2);
    if (!node?.require || !name || name === "tfjs" || name === "shards/nats") return [];
    const proxy = {
      main: `.${node.require}`,
      module: `../dist/legacy/${name}.js`,
      types: `.${types.require}`,
      sideEffects: false,
    };
    return [[`${name}/package.json`, proxy]];
  });
  return Object.fromEntries(entries);
}

/** Where the repository is, without a slash at the end. */
export function addressOf({ repository }) {
  const [, path] = /^github:([^/]+\/[^/]+)$/.exec(repository) ?? [];
  if (!path) throw new Error(`repository: expected "github:owner/name", got ${repository}`);
  return `https://github.com/${path}`;
}

/** A page whose links stay right where only `shipped` files are: the others become absolute. */
export function absoluteLinks(page, text, shipped, manifest) {
  const folder = `https://x/${page}`;
  return text.replace(/\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)/g, (link, target, anchor = "") => {
    const path = new URL(target, folder).pathname.slice(1);
    if (shipped.includes(path)) return link;
    const kind = /\.(svg|png)$/.test(path) ? "raw" : "blob";
    return `](${addressOf(manifest)}/${kind}/v${manifest.version}/${path}${anchor})`;
  });
}
