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
  # The lines of docs/platforms.md.
  MODULES
);

const refusing :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "refusing.mjs", esModule = embed "refusing.mjs"),
    # Its chunks: CHUNKS.
    (
      name = "wasm-attention/portable.wasm",
      wasm = embed "node_modules/wasm-attention/dist/workerd/core.portable.wasm"
    ),
  ],
);
