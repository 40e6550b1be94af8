package disruption

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Schedule is a cron line in UTC: minute, hour, day of month, month, day of
// week, each a set of numbers; or @hourly, @daily (@midnight), @weekly,
// @monthly, @yearly (@annually).
type Schedule struct {
	minute, hour, day, month, weekday uint64
	// A day field that is a star does not take part in the rule that either day field may match.
	anyDay, anyWeekday bool
}

type cronField struct {
	name     string
	min, max int
	names    []string // names[i] stands for min+i
}

var cronFields = [5]cronField{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", min: 0, max: 6, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var cronWords = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
	"@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// ParseSchedule reads a cron line. Errors name the field.
func ParseSchedule(line string) (Schedule, error) {
	if expanded, ok := cronWords[strings.TrimSpace(line)]; ok {
		line = expanded
	}
	fields := strings.Fields(line)
	if len(fields) != len(cronFields) {
		return Schedule{}, fmt.Errorf("schedule %q: want 5 fields, got %d", line, len(fields))
	}
	var sets [5]uint64
	for i, text := range fields {
		set, err := cronFields[i].parse(text)
		if err != nil {
			return Schedule{}, fmt.Errorf("schedule %q: %s: %w", line, cronFields[i].name, err)
		}
		sets[i] = set
	}
	return Schedule{
		minute: sets[0], hour: sets[1], day: sets[2], month: sets[3], weekday: sets[4],
		anyDay: isStar(fields[2]), anyWeekday: isStar(fields[4]),
	}, nil
}

// isStar reports whether a field leaves its day open. A star with a step does
// not, as in the parser that Karpenter uses (github.com/robfig/cron v3).
func isStar(text string) bool {
	for _, part := range strings.Split(text, ",") {
		if part == "*" || part == "?" || part == "*/1" || part == "?/1" {
			return true
		}
	}
	return false
}

// parse reads a comma list of values, ranges and steps: 5, 1-5, */15, 10-20/2, mon-fri.
func (f cronField) parse(text string) (uint64, error) {
	var set uint64
	for _, part := range strings.Split(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n <= 0 {
				return 0, fmt.Errorf("step %q is not a positive number", stepText)
			}
			step = n
		}
		from, to := f.min, f.max
		if span != "*" && span != "?" {
			low, high, ranged := strings.Cut(span, "-")
			var err error
			if from, err = f.value(low); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				if to, err = f.value(high); err != nil {
					return 0, err
				}
			case !stepped:
				to = from
			}
		}
		if from > to {
			return 0, fmt.Errorf("range %q runs backwards", span)
		}
		for v := from; v <= to; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func (f cronField) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(name, text) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("%q is not within %d-%d", text, f.min, f.max)
	}
	return n, nil
}

func (s Schedule) onDay(t time.Time) bool {
	if s.month&(1<<int(t.Month())) == 0 {
		return false
	}
	day, weekday := s.day&(1<<t.Day()) != 0, s.weekday&(1<<int(t.Weekday())) != 0
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

// searchYears bounds the search for a day that may never come, such as 30 February.
const searchYears = 5

// Next returns the first moment after t at which the schedule fires, and false
// if there is none within five years.
func (s Schedule) Next(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(searchYears, 0, 0); t.Before(end); {
		if !s.onDay(t) {
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if hours := s.hour >> t.Hour(); hours&1 == 0 {
			if hours == 0 {
				t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
			} else {
				t = t.Truncate(time.Hour).Add(time.Duration(bits.TrailingZeros64(hours)) * time.Hour)
			}
			continue
		}
		minutes := s.minute >> t.Minute()
		if minutes == 0 {
			t = t.Truncate(time.Hour).Add(time.Hour)
			continue
		}
		return t.Add(time.Duration(bits.TrailingZeros64(minutes)) * time.Minute), true
	}
	return time.Time{}, false
}
