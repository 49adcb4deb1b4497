// Package stores keeps the records of package challenge.
//
// # Memory
//
// [Memory] keeps them in the process: no set-up, nothing on disk, everybody is logged out by a restart. It is right for one
// process; several behind a balancer need a store they share, or each would count guesses for itself.
//
// # SQL and Redis
//
// [SQL] keeps them in SQLite, PostgreSQL, MySQL or MariaDB through the app's own *sql.DB, [Redis] in a Redis or Valkey server
// through the app's own client. Both are shared by any number of processes, both count rate limits for all of them, and
// both say in their comment which settings of the server they need.
//
// # A store of your own
//
// It is one file with two methods, see [challenge.Store]. Run it through the kit in stores/storetest, which tries it with
// the races, odd bytes and ends of life on which logins rest, and says which rule a failure breaks.
//
// # Rules that hold for every store here
//
// A key has 1 to 255 bytes of printable ASCII without white space, else [ErrKey]. A value has 1 to 65536 bytes, else
// [ErrValue]. An error of a store never contains a key or a value.
package stores
