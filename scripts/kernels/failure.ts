/** Something without which nothing can be booted: its message is one line that says what to do. */
export class Missing extends Error {}
