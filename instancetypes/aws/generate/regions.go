package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// regionPattern tells regions from local zones and wavelength zones.
var regionPattern = regexp.MustCompile(`^[a-z]+(-gov)?-[a-z]+-\d+$`)

// region is what the catalog says of one region.
type region struct {
	name     string
	zoneIDs  []string // the id of zone a, b, ...; empty if no source lists them
	ordinary int      // the first so many zones offer most types
	rows     []row
}

// row is the price of one type in one region.
type row struct {
	name          string
	onDemand      float64 // US dollars an hour
	priceDerived  bool    // carried over from a sibling or another region
	saving        int     // percent of on-demand that spot costs less, 0 if not known
	savingGuessed bool    // the median of the region and category
	band          string  // as published, "" if not known
	zones         string  // letters; "" means assumed
}

// collect makes the rows of every region: what is published, with newer prices
// laid over it; rows of derived types; guesses where spot savings are missing.
func collect(all []published, specs map[string]spec, t *tables) ([]region, error) {
	regions, err := publishedRegions(all, specs)
	if err != nil {
		return nil, err
	}
	east := regions["us-east-1"]
	if east == nil {
		return nil, fmt.Errorf("%s: no prices of us-east-1", instancesFile)
	}
	for name, prices := range t.prices {
		if r := regions[name]; r != nil {
			r.overlay(prices, specs)
		}
	}
	names := sortedKeys(regions)
	for _, name := range names {
		if _, fresh := t.prices[name]; !fresh {
			regions[name].carryOver(east, specs)
		}
	}
	onSpot := typesOnSpot(regions)
	out := make([]region, 0, len(names))
	for _, name := range names {
		regions[name].guessSavings(specs, onSpot)
		out = append(out, *regions[name])
	}
	return out, nil
}

func publishedRegions(all []published, specs map[string]spec) (map[string]*region, error) {
	regions := map[string]*region{}
	offered := map[string]map[string][]string{} // zone ids by region and type
	for i := range all {
		p := &all[i]
		if _, ok := specs[p.Name]; !ok {
			continue
		}
		for name, price := range p.Pricing {
			if !regionPattern.MatchString(name) || price.Linux == nil || price.Linux.OnDemand == "" {
				continue
			}
			r := regions[name]
			if r == nil {
				r = &region{name: name}
				regions[name], offered[name] = r, map[string][]string{}
			}
			onDemand, err := strconv.ParseFloat(price.Linux.OnDemand, 64)
			if err != nil || !(onDemand > 0) || math.IsInf(onDemand, 0) {
				return nil, fmt.Errorf("%s in %s: price %q", p.Name, name, price.Linux.OnDemand)
			}
			out := row{name: p.Name, onDemand: onDemand}
			if s := price.Linux.Savings; s != nil && *s > 0 && *s < 100 {
				out.saving, out.band = int(math.Round(*s)), price.Linux.Interrupt
			}
			r.rows = append(r.rows, out)
			offered[name][p.Name] = p.AvailabilityZones[name]
		}
	}
	for name, r := range regions {
		r.nameZones(offered[name])
	}
	return regions, nil
}

// nameZones gives letters to the zone ids in their order. AWS maps letters to
// ids anew for each account, so any order is one that some account has; zones
// with less than a quarter of the types (use1-az3) come last, so that the first
// letters, which people write by habit, are zones that have nearly everything.
func (r *region) nameZones(offered map[string][]string) {
	count := map[string]int{}
	for _, ids := range offered {
		for _, id := range ids {
			count[id]++
		}
	}
	rare := func(id string) bool { return count[id]*4 < len(offered) }
	ids := sortedKeys(count)
	slices.SortStableFunc(ids, func(a, b string) int {
		switch {
		case rare(a) == rare(b):
			return 0
		case rare(a):
			return 1
		default:
			return -1
		}
	})
	r.zoneIDs, r.ordinary = ids, len(ids)
	if i := slices.IndexFunc(ids, rare); i >= 0 {
		r.ordinary = i
	}
	for i := range r.rows {
		var letters []byte
		for _, id := range offered[r.rows[i].name] {
			letters = append(letters, 'a'+byte(slices.Index(ids, id)))
		}
		slices.Sort(letters)
		r.rows[i].zones = string(letters)
	}
}

// overlay lays newer prices over the published ones and adds the types that are
// priced only there. Prices of whole machines were asked for with dedicated
// tenancy, which costs up to twice as much: a published one stays, a new one
// becomes that of the virtual type of as many vCPUs.
func (r *region) overlay(prices map[string]float64, specs map[string]spec) {
	index := r.index()
	for _, name := range sortedKeys(prices) {
		s, described := specs[name]
		if !described {
			continue
		}
		i, published := index[name]
		switch {
		case published && bareMetal(name):
		case published:
			r.rows[i].onDemand = prices[name]
		case bareMetal(name):
			price, ok := prices[family(name)+"."+virtualSize(s.vcpu)]
			if !ok {
				price = prices[name]
			}
			r.rows = append(r.rows, row{name: name, onDemand: price, priceDerived: true})
		default:
			r.rows = append(r.rows, row{name: name, onDemand: prices[name]})
		}
	}
	r.sort()
}

// carryOver adds derived types to a region that no newer source prices: the
// price in us-east-1 times what the family before costs here compared with
// there. Over 17 pairs of families that are published in many regions, 14 came
// out within 0.05% (m7gd within 0.5%); Graviton3 from Graviton2 within 1.2% on
// average and 11% at most. Whether the region has the new family is unknown.
func (r *region) carryOver(east *region, specs map[string]spec) {
	here, there := r.index(), east.index()
	ratios := map[string]float64{}
	for _, e := range east.rows {
		if _, published := here[e.name]; published || !specs[e.name].derived {
			continue
		}
		f := family(e.name)
		ratio, asked := ratios[f]
		if !asked {
			ratio = regionalRatio(f, r, here, east, there)
			ratios[f] = ratio
		}
		if ratio > 0 {
			price := math.Round(e.onDemand*ratio*1e6) / 1e6
			r.rows = append(r.rows, row{name: e.name, onDemand: price, priceDerived: true})
		}
	}
	r.sort()
}

// regionalRatio is the median price here over there of the nearest family
// before that both have, 0 if there is none.
func regionalRatio(f string, r *region, here map[string]int, east *region, there map[string]int) float64 {
	for _, before := range predecessors(f) {
		var ratios []float64
		for name, i := range here {
			if j, ok := there[name]; ok && family(name) == before && !bareMetal(name) {
				ratios = append(ratios, r.rows[i].onDemand/east.rows[j].onDemand)
			}
		}
		if len(ratios) > 0 {
			slices.Sort(ratios)
			return ratios[len(ratios)/2]
		}
	}
	return 0
}

// typesOnSpot returns the types that some region sells as spot.
func typesOnSpot(regions map[string]*region) map[string]bool {
	onSpot := map[string]bool{}
	for _, r := range regions {
		for _, row := range r.rows {
			if row.saving > 0 {
				onSpot[row.name] = true
			}
		}
	}
	return onSpot
}

// neverOnSpot holds categories that are not sold as spot capacity.
var neverOnSpot = set("hpc", "mac", "u", "u7i", "u7in")

// guessSavings fills missing savings of types that are sold as spot, or may be
// because they are new, with the median of the region and category, or of the
// region. Against known ones the mean error of the guess is 6.3 points.
func (r *region) guessSavings(specs map[string]spec, onSpot map[string]bool) {
	known := map[string][]int{}
	for _, row := range r.rows {
		if row.saving > 0 {
			c := category(row.name)
			known[c] = append(known[c], row.saving)
			known[""] = append(known[""], row.saving)
		}
	}
	for i := range r.rows {
		row := &r.rows[i]
		c := category(row.name)
		if row.saving > 0 || neverOnSpot[c] || !onSpot[row.name] && !specs[row.name].derived {
			continue
		}
		like := known[c]
		if len(like) == 0 {
			like = known[""]
		}
		if len(like) > 0 {
			slices.Sort(like)
			row.saving, row.savingGuessed = like[len(like)/2], true
		}
	}
}

var categoryPattern = regexp.MustCompile(`^[a-z]+`)

// category is the letters that a type's name begins with: m, c, r, g, ...
func category(name string) string { return categoryPattern.FindString(name) }

func (r *region) index() map[string]int {
	index := make(map[string]int, len(r.rows))
	for i := range r.rows {
		index[r.rows[i].name] = i
	}
	return index
}

func (r *region) sort() {
	slices.SortFunc(r.rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
