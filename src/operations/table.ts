/** What a ring can do: two words for each operation. `Ring` gets the methods of all. */
import { CloseOperation } from './close.js'
import { NopOperation } from './nop.js'
import { OpenOperation } from './open.js'
import { PollOperation } from './poll.js'
import { ReadOperation } from './read.js'
import { SleepOperation } from './sleep.js'
import { SyncOperations } from './sync.js'
import { VectoredOperations } from './vectored.js'
import { WriteOperation } from './write.js'

export const OPERATIONS = [
  ReadOperation,
  WriteOperation,
  VectoredOperations,
  NopOperation,
  PollOperation,
  SleepOperation,
  OpenOperation,
  CloseOperation,
  SyncOperations,
]

export interface Operations
  extends
    ReadOperation,
    WriteOperation,
    VectoredOperations,
    NopOperation,
    PollOperation,
    SleepOperation,
    OpenOperation,
    CloseOperation,
    SyncOperations {}
