/** Words of a command line that is printed to be pasted. */

/** A word as a POSIX shell needs it: as it is where nothing in it means anything, else in single quotes. */
export function shellWord(text: string): string {
  // A `#` begins a comment only where it begins a word.
  if (/^[\w@%+=:,./-][\w@%+=:,./#-]*$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}
