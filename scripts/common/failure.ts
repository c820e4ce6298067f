/** Something without which the command cannot go on: its message is one line that says what to do. */
export class Missing extends Error {}
