// holdfast stays where it is installed: the bundle requires it, and it finds its binary beside itself.
module.exports = {
  mode: 'production',
  target: 'node20',
  entry: './program.js',
  output: { filename: 'webpack.cjs' },
  externals: [/^holdfast(\/|$)/],
  externalsType: 'commonjs',
};
