/** Long enough, and known to every list. */
export const knownWeak = [
  'password1234',
  'Password1234!',
  '123456789012',
  'qwertyuiop12',
  'adminadmin12',
  'aaaaaaaaaaaa',
  'letmein12345',
  'correcthorsebatterystaple',
]
