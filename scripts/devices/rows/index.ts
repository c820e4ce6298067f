/** All devices, in the order in which they run. */
import type { Device } from '../row.js'
import { UART } from './uart.js'

export const DEVICES: readonly Device[] = [UART]
