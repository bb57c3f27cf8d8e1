/**
 * Where the package lies. Every file that is made of this module lies in lib/, bundled or not
 * (scripts/bundle.mjs).
 */
export const packageRoot = new URL('..', import.meta.url);
