/** The methods of all operations of the table, as code and as types: `Ring` gets them. */
import * as table from './table.js'

/** Their classes. Only the prototypes are of use: nobody makes any. */
export const OPERATIONS: readonly { readonly prototype: object }[] = Object.values(table)

type Table = typeof table
/** A function that takes any of them takes what is all of them: the way from a union to an intersection. */
type Takes<T> = T extends unknown ? (value: T) => void : never
type All = Takes<InstanceType<Table[keyof Table]>> extends (value: infer I) => void ? I : never

export interface Operations extends All {}
