/** Counting checks: each is told as it ends, and none keeps the others from running. */
export class Checks {
  passed = 0
  failed = 0

  /** Runs one. What it gives back is told beside its name; what it throws fails it. */
  async check(name: string, body: () => unknown): Promise<void> {
    const start = performance.now()
    try {
      const told: unknown = await body()
      this.passed += 1
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      console.log(`ok    ${name} (${seconds} s)${typeof told === 'string' ? `: ${told}` : ''}`)
    } catch (error) {
      this.failed += 1
      console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
