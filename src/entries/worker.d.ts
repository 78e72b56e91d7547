// Served to pages whose policy refuses workers from blob: URLs; nothing to import.
export {};
