/**
 * The column of a text metric in a channel's block. In: staged rows whose field is an id of the
 * dictionary. Out: Native strings; '' where the sample has no reading (id 0).
 */
import { nextRow, putVarint } from '../block';
import { textAt } from './dictionary';

const LENGTH_BYTES: usize = 2;
/** A text of 256 bytes has a length of two bytes in front. */
export const COLUMN_LENGTH_BYTES: u32 = 2;

export function putKeptTexts(out: usize, head: usize, field: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    const id = load<u32>(row + field);
    if (id == 0) {
      store<u8>(out++, 0);
      continue;
    }
    const text = textAt(id);
    const bytes = <u32>load<u16>(text);
    out = putVarint(out, bytes);
    memory.copy(out, text + LENGTH_BYTES, bytes);
    out += bytes;
  }
  return out;
}
