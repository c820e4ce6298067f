/** Figures as text. */
import type { Figure } from '../statistics.js'

const NOTHING = '–'

/** Three digits that count, and a letter for thousands or millions. */
export function rate(figure: Figure | undefined): string {
  if (figure === undefined) return NOTHING
  const { median } = figure
  if (median >= 1e6) return `${digits(median / 1e6)} M`
  if (median >= 1e3) return `${digits(median / 1e3)} k`
  return digits(median)
}

/** A median and its quartiles. */
export function spread(figure: Figure | undefined): string {
  if (figure === undefined) return NOTHING
  return `${digits(figure.median)} (${digits(figure.low)}–${digits(figure.high)})`
}

/** A plain median. */
export function plain(figure: Figure | undefined): string {
  return figure === undefined ? NOTHING : digits(figure.median)
}

/** A number with three digits that count, at most two of them behind the point. */
export function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(size >= 10 ? 1 : 2)
}

/** A table of Markdown; the columns after the first are figures. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, index) => (index === 0 ? '---' : '--:'))
  return [line(head), `|${rule.join('|')}|`, ...rows.map((row) => line(row))].join('\n')
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => escapeCell(cell)).join(' | ')} |`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
}
