import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/', 'build/', 'prebuilds/', '.tap/', 'node_modules/', 'bench/', 'test-build/'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // What ships is tested: lib/.
      'no-restricted-imports': ['error', { patterns: [{ regex: '^(\\.\\./)+src/' }] }],
      // The function of a tap subtest is async so that returning ends it, awaiting or not.
      '@typescript-eslint/require-await': 'off',
      // `t.throws(() => held.assertHeld())` is what such a line is for.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
);
