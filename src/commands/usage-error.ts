/** What the commands have in common. */

/** Wrong arguments: the message says what would be right. */
export class UsageError extends Error {}
