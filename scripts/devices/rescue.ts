/** What frees a device's user if nothing else does. */

export class Rescue {
  #timer: NodeJS.Timeout | undefined
  #hasCome = false

  /** Does it after so many milliseconds, unless asked before. */
  set(milliseconds: number, free: () => unknown): void {
    clearTimeout(this.#timer)
    this.#hasCome = false
    this.#timer = setTimeout(() => {
      this.#hasCome = true
      free()
    }, milliseconds)
  }

  /** Whether it had to: `yes`, or `no`, and then it will not. */
  ask(): 'yes' | 'no' {
    clearTimeout(this.#timer)
    return this.#hasCome ? 'yes' : 'no'
  }
}
