import { defineConfig } from "vite";

export default defineConfig({
  build: {
    outDir: "../mediaserver/pages",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses
    chunkSizeWarningLimit: 700, // hls.js is a chunk of its own, loaded by the watch page only
  },
  server: {
    proxy: Object.fromEntries(["/api", "/hls"].map((path) => [path, "http://127.0.0.1:8098"])),
  },
});
