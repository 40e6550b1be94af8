// Package report prints figures and tables for people, the same way in every
// report: lines within [Width] columns, figures to the right, the unit beside them.
package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Count prints a number with its noun: "1 node", "1,200 pods".
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Whole(n) + " " + noun
}

// Whole prints a whole number: "12,345".
func Whole(n int) string { return grouped(strconv.Itoa(n)) }

// Money prints dollars: cents from 1 dollar on, else four digits after the point.
func Money(usd float64) string {
	if usd != 0 && math.Abs(usd) < 1 {
		return strconv.FormatFloat(usd, 'f', 4, 64)
	}
	return grouped(strconv.FormatFloat(usd, 'f', 2, 64))
}

// Cents prints a small price in US cents.
func Cents(usd float64) string { return strconv.FormatFloat(usd*100, 'f', 2, 64) + " cents" }

// Number prints at most one digit after the point.
func Number(x float64) string {
	return grouped(strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0"))
}

// Percent prints a share without digits after the point, one below 1%.
func Percent(share float64) string {
	if share != 0 && math.Abs(share) < 0.01 {
		return strconv.FormatFloat(share*100, 'f', 1, 64) + "%"
	}
	return strconv.FormatFloat(share*100, 'f', 0, 64) + "%"
}

// grouped puts a comma between each three digits before the point.
func grouped(digits string) string {
	whole, fraction, _ := strings.Cut(digits, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}

// Duration prints three significant digits in the unit that suits.
func Duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d us", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	default:
		return fmt.Sprintf("%.3g s", seconds)
	}
}

// Elapsed prints how long something took as people say it: "850 ms", "12.3 s",
// "4m05s", "3h20m".
func Elapsed(seconds float64) string {
	if math.Abs(seconds) < 59.95 {
		switch {
		case seconds == 0:
			return "0 s"
		case math.Abs(seconds) < 1:
			return strconv.FormatFloat(seconds*1e3, 'f', 0, 64) + " ms"
		}
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	}
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	whole := int64(math.Round(seconds))
	if whole < 3600 {
		return fmt.Sprintf("%s%dm%02ds", sign, whole/60, whole%60)
	}
	minutes := int64(math.Round(seconds / 60))
	return sign + grouped(strconv.FormatInt(minutes/60, 10)) + fmt.Sprintf("h%02dm", minutes%60)
}

// Shorten cuts a text that is longer than a number of runes and ends it with dots.
func Shorten(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return strings.TrimSpace(string(r[:runes-3])) + "..."
}

// List joins words as prose does: a, b and c.
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
