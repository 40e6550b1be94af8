package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// count prints a number with its noun: "1 node", "1,200 pods".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return whole(n) + " " + noun
}

// whole prints a whole number: "12,345".
func whole(n int) string { return grouped(strconv.Itoa(n)) }

// money prints dollars: cents from 1 dollar on, else four digits after the point.
func money(usd float64) string {
	if usd != 0 && math.Abs(usd) < 1 {
		return strconv.FormatFloat(usd, 'f', 4, 64)
	}
	return grouped(strconv.FormatFloat(usd, 'f', 2, 64))
}

// cents prints a small price in US cents.
func cents(usd float64) string { return strconv.FormatFloat(usd*100, 'f', 2, 64) + " cents" }

// number prints at most one digit after the point.
func number(x float64) string {
	return grouped(strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0"))
}

// percent prints a share without digits after the point, one below 1%.
func percent(share float64) string {
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

// duration prints three significant digits in the unit that suits.
func duration(seconds float64) string {
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
