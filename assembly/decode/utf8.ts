/**
 * Whether bytes are UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. All loads
 * stay inside [at, end).
 */
const HIGHS: u64 = 0x8080808080808080;

export function isUtf8(at: usize, end: usize): bool {
  while (at < end) {
    while (end - at >= 8 && (load<u64>(at) & HIGHS) == 0) at += 8;
    if (at == end) return true;
    if (load<u8>(at) < 0x80) at++;
    else at = passWide(at, end);
    if (at == 0) return false;
  }
  return true;
}

/** The address behind a character of two to four bytes, or 0. */
function passWide(at: usize, end: usize): usize {
  const lead = <u32>load<u8>(at);
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const more: usize = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (end - at <= more) return 0;
  const second = <u32>load<u8>(at, 1);
  const low: u32 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const high: u32 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i: usize = 2; i <= more; i++) {
    if ((load<u8>(at + i) & 0xc0) != 0x80) return 0;
  }
  return at + more + 1;
}
