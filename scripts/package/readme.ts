/** The examples of the README, as they are in the tarball. */

export interface Examples {
  /** One that runs to its end by itself, as JavaScript. */
  whole: string
  /** All that are TypeScript and whole programs, by file name: they have to compile. */
  typed: Map<string, string>
}

/** Reads them off the text. */
export function examplesIn(readme: string): Examples {
  const blocks = [...readme.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
  const programs = blocks.filter(({ text }) => /^import .* from 'uring-safe-cancel'$/m.test(text))
  const whole = programs.find(({ language, text }) => language === 'js' && text.includes('mkfifo'))
  if (whole === undefined) throw new Error('the README has no example in JavaScript with a FIFO any more')
  const typed = programs.filter(({ language }) => language === 'ts')
  if (typed.length === 0) throw new Error('the README has no example in TypeScript any more')
  return {
    whole: whole.text,
    typed: new Map(typed.map(({ text }, index) => [`readme-${index + 1}.ts`, text])),
  }
}
