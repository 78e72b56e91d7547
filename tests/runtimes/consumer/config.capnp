using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "battery", worker = .battery),
    (name = "refusing", worker = .refusing),
  ],
  sockets = [
    (name = "battery", address = "127.0.0.1:0", http = (), service = "battery"),
    (name = "refusing", address = "127.0.0.1:0", http = (), service = "refusing"),
  ],
);

const battery :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "worker.mjs", esModule = embed "worker.mjs"),
    (name = "battery.js", esModule = embed "battery.js"),
    (name = "wasm-attention", esModule = embed "node_modules/wasm-attention/dist/workerd.js"),
    (
      name = "portable.wasm?module",
      wasm = embed "node_modules/wasm-attention/dist/portable.wasm"
    ),
    (name = "relaxed.wasm?module", wasm = embed "node_modules/wasm-attention/dist/relaxed.wasm"),
  ],
);

const refusing :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "refusing.mjs", esModule = embed "refusing.mjs"),
    (name = "default.js", esModule = embed "node_modules/wasm-attention/dist/browser.js"),
    (
      name = "wasm-attention/portable.wasm",
      wasm = embed "node_modules/wasm-attention/dist/portable.wasm"
    ),
  ],
);
