/**
 * What an audit needs of the world besides the doors of model/doors.ts: questions and statements in
 * SQL, told in text; both are asked of the ClickHouse that holds the stored rows.
 */
export interface Ask {
  /** All rows as objects; 64-bit integers are strings. For results that fit in memory. */
  rows<T>(sql: string): Promise<T[]>;
}

export interface Tell {
  /** One statement that gives no rows. */
  command(sql: string): Promise<void>;
}
