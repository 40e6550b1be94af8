package pricing

import "time"

// HoursPerMonth is a twelfth of a year of 8,760 hours, as AWS' price calculator has it.
const HoursPerMonth = 730

// Cost returns what a node costs that ran for a time at a price in US dollars an
// hour. Time is billed by the second, rounded up, and for a minute at least, as
// EC2 bills Linux. Nothing is billed for a time of zero or below.
func Cost(hourly float64, ran time.Duration) float64 {
	if ran <= 0 {
		return 0
	}
	seconds := (ran + time.Second - 1) / time.Second
	return hourly * float64(max(seconds, 60)) / 3600
}
