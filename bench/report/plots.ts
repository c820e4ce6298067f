/** Plots as SVG, by vega-lite. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { PACKAGES } from '../paths.js'
import { medianOf, speeds, type WorkResult } from '../results.js'

/** The parts of vega that are used; its own types are those of a package that may not be there. */
interface Vega {
  parse: (spec: unknown) => unknown
  View: new (runtime: unknown, options: { renderer: 'none' }) => { toSVG: () => Promise<string> }
}

interface VegaLite {
  compile: (spec: unknown) => { spec: unknown }
}

export type Draw = (spec: object) => Promise<string>

/** What draws; rejects where vega is not installed. */
export async function loadVega(): Promise<Draw> {
  const require = createRequire(join(PACKAGES, 'package.json'))
  const load = async (name: string): Promise<unknown> =>
    import(pathToFileURL(resolveFrom(require, name)).href)
  const vega = (await load('vega')) as Vega
  const lite = (await load('vega-lite')) as VegaLite
  return (spec) => new vega.View(vega.parse(lite.compile(spec).spec), { renderer: 'none' }).toSVG()
}

function resolveFrom(require: NodeJS.Require, name: string): string {
  return require.resolve(name)
}

interface Point {
  variant: string
  concurrency: number
  speed: number
  low: number
  high: number
}

function pointsOf({ variants, cells }: WorkResult): Point[] {
  return variants.flatMap(({ id, name }) =>
    cells.flatMap((cell) => {
      const figure = cell.variant === id ? medianOf(speeds(cell)) : undefined
      if (figure === undefined) return []
      const { median: speed, low, high } = figure
      return [{ variant: name, concurrency: cell.concurrency, speed, low, high }]
    }),
  )
}

/** From here on lines say more than bars. */
const FEWEST_FOR_LINES = 3

/** A plot of a work's speeds; `undefined` if there are none. */
export function plotOf(result: WorkResult): object | undefined {
  const values = pointsOf(result)
  if (values.length === 0) return undefined
  const { work, variants } = result
  const order = variants.map(({ name }) => name)
  const shared = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: work.title, anchor: 'start' },
    // Readable on a dark page as well.
    background: 'white',
    padding: 12,
    data: { values },
  }
  return work.concurrency.length < FEWEST_FOR_LINES
    ? { ...shared, ...bars(order, work.unit) }
    : { ...shared, ...lines(order, work.unit, work.concurrency) }
}

const SPEED = { title: 'operations a second', axis: { format: '~s' } }

function lines(order: string[], unit: string, concurrency: number[]): object {
  return {
    width: 520,
    height: 320,
    encoding: {
      x: {
        field: 'concurrency',
        type: 'quantitative',
        scale: { type: 'log', base: 2 },
        axis: { title: unit, values: concurrency, grid: false },
      },
      color: {
        field: 'variant',
        type: 'nominal',
        sort: order,
        scale: { scheme: 'tableau20' },
        legend: { title: null, symbolLimit: 40, labelLimit: 320 },
      },
    },
    layer: [
      {
        mark: { type: 'line', point: { size: 30 }, strokeWidth: 1.5 },
        encoding: { y: { field: 'speed', type: 'quantitative', scale: { type: 'log' }, ...SPEED } },
      },
      {
        mark: { type: 'rule', strokeWidth: 1 },
        encoding: { y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
      },
    ],
  }
}

function bars(order: string[], unit: string): object {
  return {
    facet: { row: { field: 'concurrency', type: 'ordinal', header: { title: unit, labelAngle: 0 } } },
    resolve: { scale: { x: 'independent' } },
    spec: {
      width: 460,
      encoding: {
        y: { field: 'variant', type: 'nominal', sort: order, axis: { title: null, labelLimit: 260 } },
      },
      layer: [
        {
          mark: { type: 'bar', color: '#4c78a8' },
          encoding: { x: { field: 'speed', type: 'quantitative', ...SPEED } },
        },
        {
          mark: { type: 'rule', color: '#222' },
          encoding: { x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
        },
      ],
    },
  }
}
