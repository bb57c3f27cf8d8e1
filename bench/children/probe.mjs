/** Prints what a contender's module says of itself; or why it cannot be loaded. */
const reasons = {
  ERR_MODULE_NOT_FOUND: 'not installed',
  MODULE_NOT_FOUND: 'not built',
  ERR_DLOPEN_FAILED: 'not built for this Node',
};
try {
  const { can, absent } = await import(process.argv[2]);
  console.log(JSON.stringify({ can, absent }));
} catch (error) {
  console.log(JSON.stringify({ can: {}, absent: reasons[error.code] ?? error.message }));
}
