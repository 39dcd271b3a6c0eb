/** What a browser has to have. */

import { Trouble } from "./data";

// A module with one SIMD instruction (v128.const, i8x16.popcnt).
const SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);

/** Throws Trouble where the generator could not run. */
export function checkBrowser(): void {
  const missing = [
    typeof Worker === "undefined" && "web workers",
    typeof WebAssembly === "undefined" && "WebAssembly",
    typeof WebAssembly !== "undefined" && !WebAssembly.validate(SIMD) && "WebAssembly SIMD",
  ].filter(Boolean);
  if (missing.length) {
    throw new Trouble(
      `This browser lacks ${missing.join(" and ")}, which decoding images here needs. Chrome and Edge since 91, Firefox since 89 and Safari since 16.4 have it; ` +
        "a private mode that switches it off (Lockdown Mode, for one) can be lifted for this page.",
    );
  }
}
