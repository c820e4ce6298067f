/** Checks that many calls make, in the words of node:fs. */
import { isAnyArrayBuffer } from 'node:util/types'

import { invalidType, outOfRange } from '../errors.js'

/** Whether it may be options. Memory and arrays in their place are mistakes: their bytes would stay untouched. */
export function isOptions(value: unknown): value is Record<string, unknown> {
  const isObject = typeof value === 'object' && value !== null
  return isObject && !ArrayBuffer.isView(value) && !isAnyArrayBuffer(value) && !Array.isArray(value)
}

/** Checks that `value` is an integer within bounds. */
export function checkInteger(
  name: string,
  value: unknown,
  least: number,
  most: number,
): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(name, `an integer >= ${least} and <= ${most}`, value)
  }
}

/** Checks that `value` is a boolean, or not given. */
export function checkBoolean(name: string, value: unknown): asserts value is boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') throw invalidType(name, 'a boolean', value)
}

/** Checks that `options` may be some. */
export function checkObject(options: unknown): asserts options is Record<string, unknown> {
  if (!isOptions(options)) throw invalidType('options', 'an object', options)
}

/** Checks a time in milliseconds. */
export function checkMilliseconds(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value)
  // As long as a timestamp of JavaScript can be.
  if (!(value >= 0 && value <= 8.64e15)) throw outOfRange(name, '>= 0 and <= 8640000000000000', value)
}
