/**
 * The column of a text metric in a channel's block. In: tiles in whose column are ids of the
 * dictionary. Out: Native strings; '' where the sample has no reading (id 0).
 */
import { putVarint } from '../block';
import { Tile, wideAt } from '../tile';
import { textAt } from './dictionary';

const LENGTH_BYTES: usize = 2;
/** A text of 256 bytes has a length of two bytes in front. */
export const COLUMN_LENGTH_BYTES: u32 = 2;

export function putKeptTexts(out: usize, head: usize, column: u32): usize {
  for (let at = head; at != 0; at = changetype<Tile>(at).next) {
    const rows = changetype<Tile>(at).rows;
    for (let i: u32 = 0; i < rows; i++) {
      out = putKeptText(out, load<u32>(wideAt(at, column, i)));
    }
  }
  return out;
}

function putKeptText(out: usize, id: u32): usize {
  if (id == 0) {
    store<u8>(out, 0);
    return out + 1;
  }
  const text = textAt(id);
  const bytes = <u32>load<u16>(text);
  out = putVarint(out, bytes);
  memory.copy(out, text + LENGTH_BYTES, bytes);
  return out + bytes;
}
