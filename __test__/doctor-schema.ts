/** The document of `uring-safe-cancel doctor --json`: no field beside these, and none of another type. */
import * as t from 'typanion'

const isLimit = t.isOneOf([t.isNumber(), t.isLiteral('unlimited')])
const isFlags = t.isRecord(t.isBoolean())
export const isExamination = t.isObject({
  version: t.isString(),
  ok: t.isBoolean(),
  status: t.isEnum([0, 1, 2, 3]),
  runtime: t.isObject({
    name: t.isEnum(['Node', 'Bun', 'Deno']),
    version: t.isString(),
    platform: t.isString(),
    architecture: t.isString(),
    libc: t.isOptional(t.isEnum(['glibc', 'musl'])),
  }),
  kernel: t.isObject({
    release: t.isString(),
    series: t.isOptional(t.isString()),
    standing: t.isOptional(t.isEnum(['old', 'tested', 'untested'])),
  }),
  addon: t.isObject({
    loaded: t.isBoolean(),
    path: t.isOptional(t.isString()),
    origin: t.isOptional(t.isEnum(['prebuilt', 'built here'])),
    package: t.isOptional(t.isString()),
    reason: t.isOptional(t.isString()),
    remedy: t.isOptional(t.isString()),
    tried: t.isOptional(t.isArray(t.isString())),
  }),
  permissions: t.isObject({
    ioUringDisabled: t.isOptional(t.isNumber()),
    ioUringGroup: t.isOptional(t.isNumber()),
    seccompFilter: t.isOptional(t.isBoolean()),
  }),
  refusal: t.isOptional(
    t.isObject({
      code: t.isEnum(['ENOSYS', 'EPERM', 'ENOMEM', 'EMFILE', 'EOTHER']),
      by: t.isString(),
      reason: t.isString(),
      evidence: t.isString(),
      remedy: t.isString(),
    }),
  ),
  operations: t.isOptional(isFlags),
  flags: t.isOptional(isFlags),
  fallbacks: t.isOptional(
    t.isArray(t.isObject({ flag: t.isString(), since: t.isString(), effect: t.isString() })),
  ),
  lockedMemory: t.isOptional(
    t.isObject({
      soft: isLimit,
      hard: isLimit,
      counts: t.isOptional(t.isBoolean()),
      exempt: t.isOptional(t.isBoolean()),
    }),
  ),
  openFiles: t.isOptional(t.isObject({ soft: isLimit, hard: isLimit })),
  trial: t.isOptional(
    t.isObject({
      ok: t.isBoolean(),
      problem: t.isOptional(t.isString()),
      inFlight: t.isOptional(t.isNumber()),
      inFlightWanted: t.isNumber(),
      rings: t.isOptional(t.isNumber()),
      ringsWanted: t.isOptional(t.isNumber()),
      cancels: t.isOptional(t.isNumber()),
      cancelMilliseconds: t.isOptional(t.isNumber()),
    }),
  ),
  lostCancels: t.isOptional(
    t.isObject({
      mended: t.isEnum(['all', 'most', 'none known', 'unknown']),
      release: t.isOptional(t.isString()),
      text: t.isString(),
    }),
  ),
  faults: t.isArray(
    t.isObject({ id: t.isString(), kernels: t.isString(), fault: t.isString(), answer: t.isString() }),
  ),
})

export type Examination = t.InferType<typeof isExamination>
