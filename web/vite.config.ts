import { defineConfig } from "vite";

export default defineConfig({
  build: {
    outDir: "../mediaserver/pages",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "docs.html"] },
    chunkSizeWarningLimit: 1800, // hls.js is a chunk of its own for the watch page, Swagger UI one for /docs
  },
  server: {
    proxy: Object.fromEntries(["/api", "/hls", "/webrtc"].map((path) => [path, "http://127.0.0.1:8098"])),
  },
});
