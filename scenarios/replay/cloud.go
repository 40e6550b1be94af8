package replay

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/pricing"
)

// Cloud is what the cloud refuses and takes back.
type Cloud struct {
	// Shortages are times in which offerings have no capacity.
	Shortages []Shortage
	// SpotShortagesPerDay is how often a day, on average, a spot offering runs out of
	// capacity by itself, for SpotShortage on average; 0, the default, never. Both times are exponential.
	SpotShortagesPerDay float64
	SpotShortage        time.Duration
	// OnDemandVCPUs and SpotVCPUs are quotas on what runs at once; 0 is none.
	OnDemandVCPUs, SpotVCPUs int
	// NeverJoin is the share of instances, from 0 to 1, that start and never join the cluster.
	NeverJoin float64

	// Hazard is the rate, an hour, at which instances of a spot offering are reclaimed. The
	// default is [BandHazard]; [NoHazard] has none reclaimed.
	Hazard func(*instancetypes.InstanceType, *instancetypes.Offering) float64
	// Notice is how long before an instance is reclaimed its owner is told: 2 minutes.
	Notice time.Duration
	// IgnoreReclaims has what the scenario's timeline says of spot instances not happen.
	IgnoreReclaims bool
	// SpotAllocation chooses between spot offerings.
	SpotAllocation Allocation
}

// Allocation is a strategy by which the cloud chooses between spot offerings.
type Allocation string

const (
	// PriceCapacityOptimized is AWS' strategy of this name, by which the cheapest is taken
	// of the offerings with the highest capacity for the number of instances. What
	// capacity there is AWS does not publish; the proxy is the band of interruptions: the
	// cheapest of the best band is taken among the offerings that cost at most a tenth more
	// than the cheapest of all. The bound is an assumption: few instances find room in most
	// pools, and an interruption, at 25% a month and with an hour lost, costs a
	// thousandth of the price, so that a band is not worth more.
	PriceCapacityOptimized Allocation = "price-capacity-optimized"
	// LowestPrice takes the cheapest.
	LowestPrice Allocation = "lowest-price"
)

// Shortage is a time in which offerings have no capacity. Empty fields match all.
type Shortage struct {
	InstanceType, Zone, CapacityType string
	From, For                        time.Duration
}

// BandHazard is the hazard that the middle of an offering's interruption band means,
// see [pricing.MonthlyInterruption] and [pricing.HourlyHazard]: an assumption.
func BandHazard(_ *instancetypes.InstanceType, o *instancetypes.Offering) float64 {
	if o == nil || o.CapacityType() != requirements.CapacityTypeSpot {
		return 0
	}
	return pricing.HourlyHazard(pricing.MonthlyInterruption(o.Interruption))
}

// NoHazard has no instance reclaimed.
func NoHazard(*instancetypes.InstanceType, *instancetypes.Offering) float64 { return 0 }

// DefaultCloud never lacks capacity, and reclaims spot instances at the rate of their bands.
func DefaultCloud() Cloud {
	return Cloud{Hazard: BandHazard, Notice: 2 * time.Minute, SpotAllocation: PriceCapacityOptimized, SpotShortage: 30 * time.Minute}
}

func (c *Cloud) validate() error {
	bad := func(field string, v any) error { return fmt.Errorf("%w: Cloud.%s: %v", ErrSettings, field, v) }
	switch {
	case !(c.SpotShortagesPerDay >= 0) || c.SpotShortagesPerDay > 1000:
		return bad("SpotShortagesPerDay", c.SpotShortagesPerDay)
	case c.SpotShortage < 0:
		return bad("SpotShortage", c.SpotShortage)
	case !(c.NeverJoin >= 0 && c.NeverJoin <= 1):
		return bad("NeverJoin", c.NeverJoin)
	case c.OnDemandVCPUs < 0 || c.SpotVCPUs < 0:
		return bad("OnDemandVCPUs or SpotVCPUs", "negative")
	case c.Notice < 0:
		return bad("Notice", c.Notice)
	case c.Hazard == nil:
		return bad("Hazard", "nil")
	case c.SpotAllocation != PriceCapacityOptimized && c.SpotAllocation != LowestPrice:
		return bad("SpotAllocation", c.SpotAllocation)
	}
	for i, s := range c.Shortages {
		if s.For < 0 {
			return bad(fmt.Sprintf("Shortages[%d].For", i), s.For)
		}
	}
	return nil
}

// assumptions lists what is assumed of the cloud.
func (c *Cloud) assumptions() []string {
	allocation := fmt.Sprintf("spot capacity is allocated by %s", c.SpotAllocation)
	if c.SpotAllocation == PriceCapacityOptimized {
		allocation += ", on the band of interruptions as the depth of a pool and for a tenth more at most"
	}
	out := []string{allocation, c.hazardAssumed()}
	if c.SpotShortagesPerDay == 0 && len(c.Shortages) == 0 {
		return append(out, "the cloud always has capacity")
	}
	if c.SpotShortagesPerDay > 0 {
		out = append(out, fmt.Sprintf("each spot offering runs out of capacity %g times a day, for %v on average", c.SpotShortagesPerDay, c.SpotShortage))
	}
	if n := len(c.Shortages); n > 0 {
		out = append(out, fmt.Sprintf("the cloud lacks capacity at the times given (%d)", n))
	}
	return out
}

// hazardAssumed says by which of the hazards of this package, if by one, instances are reclaimed.
func (c *Cloud) hazardAssumed() string {
	is := func(f func(*instancetypes.InstanceType, *instancetypes.Offering) float64) bool {
		return reflect.ValueOf(c.Hazard).Pointer() == reflect.ValueOf(f).Pointer()
	}
	switch {
	case is(BandHazard):
		return "spot instances are reclaimed at a constant rate, by the middle of their published monthly band"
	case is(NoHazard):
		return "no spot instance is reclaimed"
	}
	return "spot instances are reclaimed at rates that the settings give"
}

// supply is the cloud's capacity in the course of a replay.
type supply struct {
	*Cloud
	seed    uint64
	random  map[string]*outages // by offering
	vcpus   map[string]int      // running, by capacity type
	joins   *rand.Rand
	reclaim map[string]*rand.Rand // by offering
}

func newSupply(c *Cloud, seed uint64) *supply {
	return &supply{Cloud: c, seed: seed, random: map[string]*outages{}, vcpus: map[string]int{},
		joins: draws(seed, "never-join"), reclaim: map[string]*rand.Rand{}}
}

// outages are the random shortages of one offering, walked forward in time.
type outages struct {
	rng   *rand.Rand
	until time.Duration // the present state holds
	short bool
}

// pool is an instance type in one zone and of one capacity type: what capacity there is of.
type pool struct {
	instanceType *instancetypes.InstanceType
	offering     *instancetypes.Offering
}

func (p pool) key() string {
	return p.instanceType.Name + "/" + p.offering.Zone() + "/" + p.offering.CapacityType()
}

// has tells whether a pool has capacity at a moment; if not, why.
func (s *supply) has(p pool, now time.Duration) (bool, string) {
	zone, capacityType := p.offering.Zone(), p.offering.CapacityType()
	match := func(want, is string) bool { return want == "" || want == is }
	for i := range s.Shortages {
		x := &s.Shortages[i]
		if match(x.InstanceType, p.instanceType.Name) && match(x.Zone, zone) && match(x.CapacityType, capacityType) &&
			now >= x.From && now < x.From+x.For {
			return false, insufficientCapacity
		}
	}
	if capacityType == requirements.CapacityTypeSpot && s.SpotShortagesPerDay > 0 && s.isShort(p.key(), now) {
		return false, insufficientCapacity
	}
	if quota := s.quota(capacityType); quota > 0 && s.vcpus[capacityType]+vcpus(p.instanceType) > quota {
		return false, quotaExceeded
	}
	return true, ""
}

// Reasons why launches fail.
const (
	insufficientCapacity = "insufficient capacity"
	quotaExceeded        = "quota exceeded"
	registrationTimeout  = "did not join in time"
)

func (s *supply) quota(capacityType string) int {
	if capacityType == requirements.CapacityTypeSpot {
		return s.SpotVCPUs
	}
	return s.OnDemandVCPUs
}

func vcpus(t *instancetypes.InstanceType) int { return int(t.Capacity.Get(corev1.ResourceCPU) / 1000) }

func (s *supply) isShort(key string, now time.Duration) bool {
	o := s.random[key]
	if o == nil {
		o = &outages{rng: draws(s.seed, "shortage/"+key), short: true}
		s.random[key] = o
	}
	for o.until <= now {
		o.short = !o.short
		mean := float64(24*time.Hour) / s.SpotShortagesPerDay
		if o.short {
			mean = float64(s.SpotShortage)
		}
		o.until += time.Duration(o.rng.ExpFloat64()*mean) + 1
	}
	return o.short
}

// started and ended account an instance.
func (s *supply) started(p pool) { s.vcpus[p.offering.CapacityType()] += vcpus(p.instanceType) }
func (s *supply) ended(p pool)   { s.vcpus[p.offering.CapacityType()] -= vcpus(p.instanceType) }

// lifetime draws after how long an instance is reclaimed, false if it never is.
func (s *supply) lifetime(p pool) (time.Duration, bool) {
	rate := s.Hazard(p.instanceType, p.offering)
	if !(rate > 0) {
		return 0, false
	}
	key := p.key()
	rng := s.reclaim[key]
	if rng == nil {
		rng = draws(s.seed, "reclaim/"+key)
		s.reclaim[key] = rng
	}
	hours := rng.ExpFloat64() / rate
	if hours > math.MaxInt64/float64(time.Hour)/2 {
		return 0, false
	}
	return time.Duration(hours * float64(time.Hour)), true
}

// byPrice puts the cheapest first; of equals the type with the smaller name, then the zone.
func byPrice(a, b pool) int {
	if a.offering.Price != b.offering.Price {
		return cmp.Compare(a.offering.Price, b.offering.Price)
	}
	return cmp.Or(strings.Compare(a.instanceType.Name, b.instanceType.Name), strings.Compare(a.offering.Zone(), b.offering.Zone()))
}

// depthPremium is how much more than the cheapest an offering of a better band may cost.
const depthPremium = 0.1

// allocate puts spot pools into the order in which the cloud tries them.
func (s *supply) allocate(pools []pool) {
	slices.SortStableFunc(pools, byPrice)
	if s.SpotAllocation == LowestPrice || len(pools) == 0 {
		return
	}
	most := pools[0].offering.Price * (1 + depthPremium)
	near := slices.IndexFunc(pools, func(p pool) bool { return p.offering.Price > most })
	if near < 0 {
		near = len(pools)
	}
	slices.SortStableFunc(pools[:near], func(a, b pool) int { return bandRank(a) - bandRank(b) })
}

// bandRank is 1 for the offerings that are interrupted least; of those whose band is not known the worst
// is assumed.
func bandRank(p pool) int {
	if p.offering.Interruption == instancetypes.InterruptionUnknown {
		return int(instancetypes.InterruptionOver20)
	}
	return int(p.offering.Interruption)
}

// take returns the first of the pools, in the order in which they are tried, that has
// capacity, and those that were found without; false if none has, with the reason.
func (s *supply) take(pools []pool, now time.Duration) (got pool, without []pool, reason string, ok bool) {
	for _, p := range pools {
		if has, why := s.has(p, now); !has {
			without, reason = append(without, p), why
			continue
		}
		return p, without, "", true
	}
	if reason == "" {
		reason = insufficientCapacity
	}
	return pool{}, without, reason, false
}
