/** Words of our insides, which no answer has. */
export const INNER =
  /node_modules|\.ts:\d+|at \w+ \(|TypeError|RangeError|SQLITE|SqliteError|ER_[A-Z]+|select `|insert into|Cannot read prop|is not a function|undefined is not|\[object Object\]|Maximum call stack|root:x:0/;
