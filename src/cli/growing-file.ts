/**
 * A file that others append lines to, read as it grows, and anew when it was cut short and begun again.
 */
import { readSync } from 'node:fs';

/** A line without its end, and where it begins. */
export interface TextLine {
  readonly text: string;
  /** In bytes. */
  readonly offset: number;
}

const newline = 0x0a;

/** Something without ends of lines must not fill the memory; what is longer comes in pieces. */
const longest = 65_536;

/** Enough of what was read last to tell it from what others wrote in its place: lines have times. */
const markBytes = 4096;

export class GrowingFile {
  readonly #fd: number;
  /** Up to here it has been read. */
  #position = 0;
  /** What was read and has no end of line yet; it begins at #position less its length. */
  #rest: Buffer = Buffer.alloc(0);
  /** What stood right before #position. */
  #mark: Buffer = Buffer.alloc(0);

  /** The descriptor stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The lines that have been completed since the last call. */
  *lines(): Generator<TextLine> {
    if (this.#begunAgain()) {
      this.#position = 0;
      this.#rest = this.#mark = Buffer.alloc(0);
    }
    for (;;) {
      const bytes = this.#at(this.#position, longest);
      if (bytes.length === 0) return;
      this.#position += bytes.length;
      this.#mark = Buffer.concat([this.#mark, bytes]).subarray(-markBytes);
      yield* this.#split(Buffer.concat([this.#rest, bytes]));
    }
  }

  /** What has no end of line. */
  end(): TextLine[] {
    const line = this.#line(this.#rest, this.#position - this.#rest.length);
    this.#rest = Buffer.alloc(0);
    return line.text === '' ? [] : [line];
  }

  *#split(bytes: Buffer): Generator<TextLine> {
    const first = this.#position - bytes.length;
    let from = 0;
    for (let to = bytes.indexOf(newline); to !== -1; to = bytes.indexOf(newline, from)) {
      yield this.#line(bytes.subarray(from, to), first + from);
      from = to + 1;
    }
    if (bytes.length - from >= longest) {
      yield this.#line(bytes.subarray(from), first + from);
      from = bytes.length;
    }
    this.#rest = bytes.subarray(from);
  }

  #line(bytes: Buffer, offset: number): TextLine {
    return { text: bytes.toString(), offset };
  }

  /** It is shorter, or what was read is not there any more: it may have grown beyond it since. */
  #begunAgain(): boolean {
    const { length } = this.#mark;
    return !this.#at(this.#position - length, length).equals(this.#mark);
  }

  #at(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const read = length === 0 ? 0 : readSync(this.#fd, bytes, 0, length, position);
    return bytes.subarray(0, read);
  }
}
