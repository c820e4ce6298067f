/** How many times slower than a quiet machine this one may be: what is emulated is. All limits of time are so much longer. */
const { KINDS_PATIENCE = '1' } = process.env

export function patient(milliseconds: number): number {
  return milliseconds * Number(KINDS_PATIENCE)
}
