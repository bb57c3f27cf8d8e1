/**
 * The lines of a text that comes in parts, each line when its end is there. Not by node:readline, which
 * is never told that its stream broke. A leaf.
 */

/** Without their ends; what comes after the last of them is no line. */
export async function* linesOf(
  parts: AsyncIterable<unknown>,
): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const part of parts) {
    const lines = (rest + String(part)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
