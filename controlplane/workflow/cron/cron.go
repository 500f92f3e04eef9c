package cron

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// MinEvery is the shortest time between two times of "@every".
const MinEvery = time.Second

// horizon bounds the search for the next time: the 29th of February comes after eight years at the latest.
const horizon = 9 * 366 * 24 * time.Hour

// Schedule is when something is due. The zero value is never due.
type Schedule struct {
	every time.Duration // of "@every"; zero otherwise

	second, minute, hour, day, month, weekday set
	anyDay, anyWeekday                        bool // the field begins with "*"
	elapsed                                   bool // the hour does
	location                                  *time.Location
}

// set is the values of a field, each a bit.
type set uint64

func (s set) has(v int) bool { return s&(1<<uint(v)) != 0 }

// next is the least value that is at least v, or -1.
func (s set) next(v int) int {
	if v > 63 {
		return -1
	}
	rest := s >> uint(v) << uint(v)
	if rest == 0 {
		return -1
	}
	return bits.TrailingZeros64(uint64(rest))
}

// Parse reads a schedule that is due by the clocks of a location. The key fixes its hashed values. Errors say what is wrong with the text
// as the end of a sentence about it.
func Parse(text, key string, in *time.Location) (Schedule, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "@") {
		return parseWord(text, in)
	}
	fields := strings.Fields(text)
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	if len(fields) != 6 {
		return Schedule{}, fmt.Errorf("%q has %d fields; a schedule has five (minute, hour, day of the month, month, day of the week), "+
			`such as "0 2 * * *", or six with seconds before them`, shorten(text), len(fields))
	}
	s := Schedule{location: in}
	for i, into := range []*set{&s.second, &s.minute, &s.hour, &s.day, &s.month, &s.weekday} {
		var err error
		if *into, err = parseField(fields[i], kinds()[i], key); err != nil {
			return Schedule{}, err
		}
	}
	if s.weekday.has(7) {
		s.weekday |= 1
	}
	s.anyDay, s.anyWeekday = wild(fields[3]), wild(fields[5])
	s.elapsed = wild(fields[2])
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, ok := s.wall(from, from.Add(horizon)); !ok {
		return Schedule{}, fmt.Errorf("%q is never due: no month has such a day", shorten(text))
	}
	return s, nil
}

func wild(field string) bool { return field == "?" || strings.HasPrefix(field, "*") }

func parseWord(text string, in *time.Location) (Schedule, error) {
	word, rest, _ := strings.Cut(text, " ")
	if word == "@every" {
		d, err := time.ParseDuration(strings.TrimSpace(rest))
		if err != nil || d < MinEvery || d%time.Second != 0 || d > 366*24*time.Hour {
			return Schedule{}, fmt.Errorf(`%q needs whole seconds, at least one and at most 8784h, such as "@every 90m"`, shorten(text))
		}
		return Schedule{every: d, location: in}, nil
	}
	for name, fields := range map[string]string{
		"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
		"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
	} {
		if text == name {
			return Parse(fields, "", in)
		}
	}
	return Schedule{}, fmt.Errorf("%q is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every DURATION", shorten(text))
}

func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Next returns the first time after another at which the schedule is due; ok is false when there is none within nine years.
func (s Schedule) Next(after time.Time) (due time.Time, ok bool) {
	if s.every > 0 {
		step := int64(s.every / time.Second)
		n := after.Unix()
		n -= ((n % step) + step) % step // down to a multiple, before 1970 too
		return time.Unix(n+step, 0).In(s.location), true
	}
	if s.location == nil {
		return time.Time{}, false
	}
	t := after.In(s.location).Truncate(time.Second).Add(time.Second)
	for limit := t.Add(horizon); t.Before(limit); {
		// Between two changes of the clock the times on the wall are as regular as in UTC.
		_, end := t.ZoneBounds()
		if end.IsZero() || end.After(limit) {
			end = limit
		}
		var found bool
		if t, found = s.within(t, end); found {
			return t, true
		}
	}
	return time.Time{}, false
}

// within returns the first time from t on and before end, the next change of the clock. Otherwise it returns where to look next.
func (s Schedule) within(t, end time.Time) (due time.Time, found bool) {
	if start, _ := t.ZoneBounds(); !s.elapsed && !start.IsZero() {
		shift := offset(t) - offset(start.Add(-time.Second))
		if shift > 0 && t.Equal(start) && s.skipped(start, shift) {
			return t, true
		}
		if again := start.Add(-shift); shift < 0 && t.Before(again) {
			t = again // what the clock shows until then it has shown before
			if !t.Before(end) {
				return end.In(s.location), false
			}
		}
	}
	here := onWall(t)
	if due, ok := s.wall(here, here.Add(end.Sub(t))); ok {
		return t.Add(due.Sub(here)), true
	}
	return end.In(s.location), false
}

// skipped reports whether something is due at a time that the clock does not show because it is set forward.
func (s Schedule) skipped(at time.Time, by time.Duration) bool {
	shown := onWall(at)
	_, ok := s.wall(shown.Add(-by), shown)
	return ok
}

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// onWall is what the clock shows, as a time of UTC.
func onWall(t time.Time) time.Time {
	return t.Add(offset(t)).UTC()
}

// wall returns the first time of UTC from one on and before another that fits the fields.
func (s Schedule) wall(from, end time.Time) (due time.Time, ok bool) {
	year, month, day := from.Date()
	hour, minute, second := from.Clock()
	for date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); date.Before(end); {
		if !s.month.has(int(date.Month())) {
			date = time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			hour, minute, second = 0, 0, 0
			continue
		}
		if s.fits(date) {
			if of, ok := s.clock(hour, minute, second); ok {
				due = date.Add(of)
				return due, due.Before(end)
			}
		}
		date = date.AddDate(0, 0, 1)
		hour, minute, second = 0, 0, 0
	}
	return time.Time{}, false
}

// fits reports whether something is due on a day.
func (s Schedule) fits(date time.Time) bool {
	day, weekday := s.day.has(date.Day()), s.weekday.has(int(date.Weekday()))
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

// clock returns the first time of a day that is not before another.
func (s Schedule) clock(hour, minute, second int) (time.Duration, bool) {
	for h := s.hour.next(hour); h >= 0; h = s.hour.next(h + 1) {
		if h > hour {
			minute, second = 0, 0
		}
		for m := s.minute.next(minute); m >= 0; m = s.minute.next(m + 1) {
			if m > minute || h > hour {
				second = 0
			}
			if sec := s.second.next(second); sec >= 0 {
				return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second, true
			}
			second = 0
		}
	}
	return 0, false
}
