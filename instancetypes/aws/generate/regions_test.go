package main

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

// price is a Linux price as published.
func price(onDemand string, saving float64, band string) struct {
	Linux *linuxPrice `json:"linux"`
} {
	p := linuxPrice{OnDemand: onDemand, Interrupt: band}
	if saving >= 0 {
		p.Savings = &saving
	}
	return struct {
		Linux *linuxPrice `json:"linux"`
	}{&p}
}

type regionPrices = map[string]struct {
	Linux *linuxPrice `json:"linux"`
}

// market is a small world: m7i in two regions, m8i priced only in the newer
// table, a whole machine in both.
func market() ([]published, map[string]spec, *tables) {
	all := []published{
		{Name: "c6g.metal", Pricing: regionPrices{"us-east-1": price("2.176", 60, "<5%")},
			AvailabilityZones: map[string][]string{"us-east-1": {"use1-az2"}}},
		{Name: "m7i.large", Pricing: regionPrices{
			"us-east-1":     price("0.1", 60, "<5%"),
			"eu-central-1":  price("0.12", 50, ">20%"),
			"us-east-1-bos": price("0.2", 50, ""), // a local zone
		}, AvailabilityZones: map[string][]string{"us-east-1": {"use1-az2", "use1-az1"}}},
		{Name: "m7i.xlarge", Pricing: regionPrices{
			"us-east-1":    price("0.2", 0, "<5%"), // 0 means missing
			"eu-central-1": price("0.24", 52, "<5%"),
		}, AvailabilityZones: map[string][]string{"us-east-1": {"use1-az1"}}},
	}
	specs := map[string]spec{}
	for _, p := range all {
		specs[p.Name] = spec{name: p.Name}
	}
	for name, vcpu := range map[string]int{"m8i.large": 2, "m8i.metal-48xl": 192, "m8i.48xlarge": 192} {
		specs[name] = spec{name: name, vcpu: vcpu, derived: true}
	}
	t := &tables{prices: map[string]map[string]float64{"us-east-1": {
		"c6g.metal": 2.3066, // dedicated tenancy
		"m7i.large": 0.11, "m8i.large": 0.105, "m8i.48xlarge": 10, "m8i.metal-48xl": 11,
		"q1.large": 1, // nobody describes it
	}}}
	return all, specs, t
}

func TestCollect(t *testing.T) {
	regions, err := collect(market())
	if err != nil {
		t.Fatal(err)
	}
	want := []region{
		{name: "eu-central-1", zoneIDs: []string{}, rows: []row{
			{name: "m7i.large", onDemand: 0.12, saving: 50, band: ">20%"},
			{name: "m7i.xlarge", onDemand: 0.24, saving: 52, band: "<5%"},
			// us-east-1 x the median of 0.12/0.11 and 0.24/0.2.
			{name: "m8i.48xlarge", onDemand: 12, priceDerived: true, saving: 52, savingGuessed: true},
			{name: "m8i.large", onDemand: 0.126, priceDerived: true, saving: 52, savingGuessed: true},
			{name: "m8i.metal-48xl", onDemand: 12, priceDerived: true, saving: 52, savingGuessed: true},
		}},
		{name: "us-east-1", zoneIDs: []string{"use1-az1", "use1-az2"}, ordinary: 2, rows: []row{
			{name: "c6g.metal", onDemand: 2.176, saving: 60, band: "<5%", zones: "b"}, // the published price of a whole machine
			{name: "m7i.large", onDemand: 0.11, saving: 60, band: "<5%", zones: "ab"}, // the newer price
			{name: "m7i.xlarge", onDemand: 0.2, saving: 60, savingGuessed: true, zones: "a"},
			{name: "m8i.48xlarge", onDemand: 10, saving: 60, savingGuessed: true},
			{name: "m8i.large", onDemand: 0.105, saving: 60, savingGuessed: true},
			{name: "m8i.metal-48xl", onDemand: 10, priceDerived: true, saving: 60, savingGuessed: true}, // that of 48xlarge
		}},
	}
	if !reflect.DeepEqual(regions, want) {
		t.Errorf("got\n%+v\nwant\n%+v", regions, want)
	}
}

func TestCollectRejectsBadPrices(t *testing.T) {
	for _, bad := range []string{"N/A", "-1", "0", "NaN", "Inf"} {
		all, specs, tb := market()
		all[1].Pricing["us-east-1"] = price(bad, 1, "")
		if _, err := collect(all, specs, tb); err == nil {
			t.Errorf("price %q is accepted", bad)
		}
	}
	all, specs, tb := market()
	for i := range all {
		delete(all[i].Pricing, "us-east-1")
	}
	if _, err := collect(all, specs, tb); err == nil {
		t.Error("a source without us-east-1 is accepted")
	}
}

func TestNameZonesPutsRareOnesLast(t *testing.T) {
	offered := map[string][]string{"a": {"z1", "z2", "z3"}, "b": {"z1", "z3"}, "c": {"z1", "z3"}, "d": {"z3"}, "e": {"z3"}}
	r := region{rows: []row{{name: "a"}, {name: "e"}, {name: "new"}}}
	r.nameZones(offered)
	if want := []string{"z1", "z3", "z2"}; !reflect.DeepEqual(r.zoneIDs, want) || r.ordinary != 2 {
		t.Errorf("got %v, %d ordinary", r.zoneIDs, r.ordinary)
	}
	if r.rows[0].zones != "abc" || r.rows[1].zones != "b" || r.rows[2].zones != "" {
		t.Errorf("got %+v", r.rows)
	}
}

func TestRegionPattern(t *testing.T) {
	for name, want := range map[string]bool{
		"us-east-1": true, "us-gov-west-1": true, "ap-southeast-7": true,
		"us-west-2-lax-1": false, "us-east-1-wl1": false, "us-east-1-wl1-bna1": false,
	} {
		if regionPattern.MatchString(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func TestVerify(t *testing.T) {
	s := source{path: "m", version: "v1", sum: "h1:good"}
	dir, err := s.verify([]byte(`{"Dir": "/modules/m@v1", "Sum": "h1:good"}`))
	if err != nil || dir != "/modules/m@v1" {
		t.Errorf("got %q, %v", dir, err)
	}
	if _, err := s.verify([]byte(`{"Dir": "/modules/m@v1", "Sum": "h1:other"}`)); !errors.Is(err, errSum) {
		t.Errorf("another sum: %v", err)
	}
	for _, output := range []string{"", "{}", `{"Sum": "h1:good"}`, `{"Error": "not found"}`} {
		if _, err := s.verify([]byte(output)); err == nil {
			t.Errorf("%q is accepted", output)
		}
	}
}

func TestWriteAndCheck(t *testing.T) {
	all, specs, tb := market()
	regions, err := collect(all, specs, tb)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{typesFile: encodeTypes(specs, []source{specsAndPrices}, []string{"q1.large"})}
	for i := range regions {
		files[regions[i].name+suffix] = encodeRegion(&regions[i])
	}
	want := "#format\t1\n#region\tus-east-1\n#zones\tuse1-az1 use1-az2\n#ordinary\t2\n" +
		"c6g.metal\t2.176\t\t60\t<5%\tb\n" +
		"m7i.large\t0.11\t\t60\t<5%\tab\n" +
		"m7i.xlarge\t0.2\ts\t60\t\ta\n" +
		"m8i.48xlarge\t10\ts\t60\t\t\n" +
		"m8i.large\t0.105\ts\t60\t\t\n" +
		"m8i.metal-48xl\t10\tps\t60\t\t\n"
	if got := string(files["us-east-1.tsv.gz"]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	dir := t.TempDir()
	if err := check(dir, files); err == nil {
		t.Error("an empty directory is up to date")
	}
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := check(dir, files); err != nil {
		t.Errorf("what was just written: %v", err)
	}
	gone := files["eu-central-1.tsv.gz"]
	delete(files, "eu-central-1.tsv.gz")
	if err := check(dir, files); !errors.Is(err, errStale) {
		t.Errorf("a region too many: %v", err)
	}
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := check(dir, files); err != nil {
		t.Errorf("after the region is gone: %v", err)
	}
	files["us-east-1.tsv.gz"] = gone
	if err := check(dir, files); !errors.Is(err, errStale) {
		t.Errorf("other content: %v", err)
	}
}

func TestRegionalRatioIsTheMedian(t *testing.T) {
	here := region{rows: []row{{name: "m7i.large", onDemand: 1}, {name: "m7i.xlarge", onDemand: 2.4}, {name: "m7i.2xlarge", onDemand: 4.4}, {name: "m7i.metal", onDemand: 99}}}
	east := region{rows: []row{{name: "m7i.large", onDemand: 1}, {name: "m7i.xlarge", onDemand: 2}, {name: "m7i.2xlarge", onDemand: 4}, {name: "m7i.metal", onDemand: 1}}}
	if got := regionalRatio("m8i", &here, here.index(), &east, east.index()); math.Abs(got-1.1) > 1e-12 {
		t.Errorf("got %v, want 1.1", got)
	}
	if got := regionalRatio("c8a", &here, here.index(), &east, east.index()); got != 0 {
		t.Errorf("got %v without a family before", got)
	}
}
