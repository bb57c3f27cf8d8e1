/** Prints the milliseconds that the import of a package takes. */
const began = performance.now();
await import(process.argv[2]);
console.log(performance.now() - began);
