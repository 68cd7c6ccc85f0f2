/**
 * Spelling of SQL. In: names and values. Out: text that ClickHouse reads back as exactly that name
 * or value, whatever characters it holds.
 */
export function identifier(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``;
}

export function literal(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

export function qualified(database: string, name: string): string {
  return `${identifier(database)}.${identifier(name)}`;
}

export function list(values: readonly string[]): string {
  return `[${values.join(', ')}]`;
}
