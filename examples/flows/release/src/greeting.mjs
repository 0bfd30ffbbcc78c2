/** Greets somebody by name, in English where it does not know the language. */
export function greeting(name, language = "en") {
  return `${WORDS[language] ?? WORDS.en}, ${name}!`;
}
