/**
 * Where a command writes for people. A terminal gets colours and may be redrawn; a pipe gets the
 * same words as plain text, without any control sequence.
 */
import { styleText } from 'node:util';

/** `process.stdout`, or any other stream. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly rows?: number };

type Format = Parameters<typeof styleText>[0];

export interface Screen {
  readonly output: Output;
  /** Lines may be drawn anew. */
  readonly interactive: boolean;
  /** Writes whole lines. */
  print(...lines: string[]): void;
  /** The text in a colour, where there are colours. */
  paint(format: Format, text: string): string;
}

export function screenOn(output: Output): Screen {
  const { NO_COLOR: noColour, TERM: terminal } = process.env;
  const interactive = output.isTTY === true && terminal !== 'dumb';
  const coloured = interactive && !noColour; // set but empty does not count, see no-color.org
  return {
    output,
    interactive,
    print: (...lines) => {
      for (const line of lines) output.write(`${line}\n`);
    },
    // It is decided above, for this stream; left to itself, styleText would look at stdout.
    paint: (format, text) => (coloured ? styleText(format, text, { validateStream: false }) : text),
  };
}
