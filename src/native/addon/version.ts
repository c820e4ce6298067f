/** This package's version. The addon's must be the same: what they say to each other changes with any of them. */
export const VERSION = '0.1.0'
