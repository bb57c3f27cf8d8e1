/** Who is measured. The floor is none of them: it is what they are compared with. */
export const contenders = [
  { name: 'holdfast', module: new URL('./holdfast.mjs', import.meta.url) },
];
