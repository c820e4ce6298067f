/** A CommonJS program of a user. */
import usc = require('uring-safe-cancel')

const { Ring } = usc
const ring: usc.Ring = new Ring()
void ring
  .nop()
  .then(() => ring.close())
  .then(() => console.log('required'))
