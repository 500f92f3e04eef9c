// Package cron reads when something is due and computes the next times.
//
// A schedule is five fields (minute, hour, day of the month, month, day of the week), six with seconds before them, or a word:
// @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, or "@every DURATION", which is every multiple of the duration since
// the beginning of 1970 in UTC, the same on every replica. A field is a list of values, ranges ("1-5"), steps ("*/15", "10-40/10") and
// hashed values: "H" is one value that is fixed for each schedule by its key, so that many schedules "at night" do not start at once;
// "H(0-6)" is one of a range, and "H/15" every 15 beginning at a hashed value. Months and days of the week have names; 0 and 7 are
// Sunday. When both days are restricted, either is enough, as in every cron.
//
// Where clocks are changed, two rules hold, as in the cron of most systems:
//
//   - A schedule whose hour begins with "*" means elapsed time. It is due whenever the clock on the wall fits: not in an hour that is
//     skipped, and again in an hour that is repeated.
//   - Any other means a time of day. It is due once on each day: when the clock skips its time, at the moment in which the clock is set
//     forward, and when the clock repeats its time, the first time only.
package cron
