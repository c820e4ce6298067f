/** Every kind of descriptor. */
import { DEVICES } from './kinds/devices.js'
import { EVENTS } from './kinds/events.js'
import { FILES } from './kinds/files.js'
import { SERVERS } from './kinds/servers.js'
import { STREAMS } from './kinds/streams.js'
import { TERMINALS } from './kinds/terminals.js'
import { TUN } from './kinds/tun.js'
import type { Kind } from './kind.js'

export const KINDS: Kind[] = [...FILES, ...STREAMS, ...TERMINALS, ...DEVICES, ...EVENTS, ...TUN, ...SERVERS]
