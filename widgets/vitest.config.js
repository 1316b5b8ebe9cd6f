import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    {
      name: "css-as-text", // as esbuild's `text` loader does
      enforce: "pre",
      transform: (code, id) => (id.endsWith(".css") ? `export default ${JSON.stringify(code)}` : undefined),
    },
  ],
  test: { environment: "jsdom", setupFiles: "./test/setup.js", include: ["test/*.test.js"], css: false },
});
