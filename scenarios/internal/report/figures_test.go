package report

import "testing"

func TestFormats(t *testing.T) {
	tests := []struct{ got, want string }{
		{Money(0), "0.00"}, {Money(0.0416), "0.0416"}, {Money(-1234567.891), "-1,234,567.89"}, {Money(999.999), "1,000.00"},
		{Whole(1234567), "1,234,567"}, {Count(1, "pod"), "1 pod"}, {Count(0, "pod"), "0 pods"},
		{Percent(0), "0%"}, {Percent(0.004), "0.4%"}, {Percent(0.996), "100%"}, {Percent(1.234), "123%"},
		{Number(64), "64"}, {Number(2.54), "2.5"}, {Cents(0.0403), "4.03 cents"},
		{Duration(0.000012), "12 us"}, {Duration(0.0123456), "12.3 ms"}, {Duration(1.2345), "1.23 s"},
		{Elapsed(0), "0 s"}, {Elapsed(0.85), "850 ms"}, {Elapsed(12.34), "12.3 s"}, {Elapsed(59.94), "59.9 s"}, {Elapsed(59.96), "1m00s"},
		{Elapsed(245), "4m05s"}, {Elapsed(3599.7), "1h00m"}, {Elapsed(-12010), "-3h20m"}, {Elapsed(36e6), "10,000h00m"},
		{Shorten("abcdef", 6), "abcdef"}, {Shorten("abcdefg", 6), "abc..."},
		{List(nil), ""}, {List([]string{"a"}), "a"}, {List([]string{"a", "b", "c"}), "a, b and c"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
