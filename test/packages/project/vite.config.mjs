// A build for the server leaves what is in node_modules where it is; it need not be named here.
export default {
  build: {
    ssr: 'program.js',
    outDir: 'dist',
    emptyOutDir: false,
    rollupOptions: { output: { entryFileNames: 'vite.mjs' } },
  },
};
