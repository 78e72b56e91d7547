"use client";

import { useEffect } from "react";

export default function Client() {
  useEffect(() => {
    import("../main.js");
  }, []);
  return null;
}
