import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import globals from "globals";

export default defineConfig([
  js.configs.recommended,
  {
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }], // null and undefined alike
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
  { files: ["web/**/*.js"], languageOptions: { globals: { ...globals.browser, LiteGraph: "readonly" } } },
  { files: ["tests/web/**/*.mjs", "eslint.config.js"], languageOptions: { globals: globals.node } },
]);
