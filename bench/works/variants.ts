/** Short forms for the variants of the works. */
import type { Settings } from '../protocol.js'
import type { Variant } from '../work.js'

type More = Partial<Omit<Variant, 'settings'>> & { settings?: Partial<Settings> }

function make(
  runtime: Variant['runtime'],
  id: string,
  name: string,
  settings: Settings,
  { settings: changed, ...more }: More,
): Variant {
  return { id, name, runtime, settings: { ...settings, ...changed }, ...more }
}

/** The floor. */
export function floor(settings: Settings, more: More = {}): Variant {
  return make('floor', 'floor', 'floor', settings, more)
}

/** The floor with a registered file and registered buffers. */
export function registeredFloor(settings: Settings): Variant {
  const more = { id: 'floor-registered', name: 'floor, registered', settings: { registered: true } }
  return floor(settings, more)
}

/** On Node. */
export function node(id: string, name: string, settings: Settings, more: More = {}): Variant {
  return make('node', id, name, settings, more)
}

/** The same on another runtime; its id begins with that's name. */
export function on(runtime: 'bun' | 'deno', variant: Variant): Variant {
  const names = { bun: 'Bun', deno: 'Deno' }
  return { ...variant, runtime, id: `${runtime}-${variant.id}`, name: `${names[runtime]}: ${variant.name}` }
}
