/** The connected descriptors that `floor pairs` left to this process. */

export interface Ends {
  nearIn: number
  nearOut: number
  farIn: number
  farOut: number
}

export function inheritedPairs(): Ends[] {
  const text = process.env['BENCH_PAIRS']
  if (text === undefined) throw new Error('BENCH_PAIRS is not set: run this by `floor pairs`')
  return text.split(';').map((pair) => {
    const [nearIn = -1, nearOut = -1, farIn = -1, farOut = -1] = pair.split(',').map(Number)
    return { nearIn, nearOut, farIn, farOut }
  })
}
