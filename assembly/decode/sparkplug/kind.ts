/**
 * What a Sparkplug message is, as the transport says it: `<type>[/<device>]`, `NDATA` when it says
 * nothing. In: the situation. Out: the type and the device's name, or KIND_BAD.
 */
import { Situation } from '../../decoded';

export const KIND_BAD: u32 = 0;
export const KIND_BIRTH: u32 = 1;
export const KIND_DATA: u32 = 2;
export const KIND_DEATH: u32 = 3;

const SLASH: u32 = 0x2f;
const NODE: u32 = 0x4e;
const DEVICE: u32 = 0x44;
// The words behind the first letter, little-endian; "BIRTH" and "DEATH" have one letter more.
const DATA_WORD: u32 = 0x41544144;
const BIRT_WORD: u32 = 0x54524942;
const DEAT_WORD: u32 = 0x54414544;
const LAST_LETTER: u32 = 0x48;

/** Bytes of the type: up to the slash, or all. */
export function typeBytes(situation: Situation): u32 {
  const at = situation.kindAt;
  const bytes = situation.kindBytes;
  for (let i: u32 = 0; i < bytes; i++) if (load<u8>(at + i) == SLASH) return i;
  return bytes;
}

/** One of KIND_*; a node's has no device, a device's has one without a slash. */
export function kindOf(situation: Situation, type: u32): u32 {
  const at = situation.kindAt;
  const bytes = situation.kindBytes;
  if (bytes == 0) return KIND_DATA;
  if (type < 5) return KIND_BAD;
  const first = <u32>load<u8>(at);
  if (first == NODE) {
    if (type != bytes) return KIND_BAD;
  } else {
    if (first != DEVICE || type + 1 >= bytes) return KIND_BAD;
    for (let i = type + 1; i < bytes; i++) if (load<u8>(at + i) == SLASH) return KIND_BAD;
  }
  const word = load<u32>(at, 1);
  if (word == DATA_WORD) return type == 5 ? KIND_DATA : KIND_BAD;
  if (type != 6 || load<u8>(at, 5) != LAST_LETTER) return KIND_BAD;
  return word == BIRT_WORD ? KIND_BIRTH : word == DEAT_WORD ? KIND_DEATH : KIND_BAD;
}
