package aws

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// assumedZones are the zones of a region for which no source lists any.
const assumedZones = 3

// labelsPerType is how many labels a type has at most.
const labelsPerType = 33

// builder makes the catalog of one region.
type builder struct {
	region    *region
	specs     *specs
	selection selection
	intern    interned
	zones     []string                                 // by letter
	sold      map[zoneAndCapacityType]requirements.Set // requirements of offerings, shared by all types
	spread    map[string]spread                        // requirements of types by zone letters
	assumed   int                                      // types in zones that no source states

	// Requirements that most types share.
	onDemand, onDemandAndSpot requirements.Requirement // capacity types
	tenancy                   requirements.Requirement // open: the node class or the pool decides

	labelled requirements.Set // of all types so far, in one array
}

type zoneAndCapacityType struct {
	zone         byte // letter
	capacityType string
}

// spread is what the zones of a type say about its labels.
type spread struct{ zones, zoneIDs requirements.Requirement }

func newBuilder(r *region, s *specs, sel selection) *builder {
	b := &builder{
		region: r, specs: s, selection: sel,
		intern: interned{},
		sold:   map[zoneAndCapacityType]requirements.Set{},
		spread: map[string]spread{},

		onDemand: requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeOnDemand),
		onDemandAndSpot: requirements.Must(requirements.LabelCapacityType, requirements.In,
			requirements.CapacityTypeOnDemand, requirements.CapacityTypeSpot),
		tenancy: requirements.Must(LabelTenancy, requirements.In, "default", "dedicated"),
	}
	n := len(r.zoneIDs)
	if n == 0 {
		n = assumedZones
	}
	for i := range n {
		b.zones = append(b.zones, r.name+string(rune('a'+i)))
	}
	return b
}

// catalog returns the catalog of the rows that the selection takes.
func (b *builder) catalog() (*instancetypes.Catalog, error) {
	described, rows, err := b.selected()
	if err != nil {
		return nil, err
	}
	b.labelled = make(requirements.Set, 0, labelsPerType*len(rows))
	types := make([]*instancetypes.InstanceType, len(rows))
	for i, row := range rows {
		letters, err := b.letters(row)
		if err != nil {
			return nil, err
		}
		types[i] = b.instanceType(described[i], row, letters)
	}
	return instancetypes.NewCatalog(instancetypes.Info{
		Provider:        "aws",
		Region:          b.region.name,
		WellKnownLabels: wellKnownLabels(),
		Provenance:      b.provenance(),
	}, types...)
}

// selected returns the rows to take, each with the specification of its type.
func (b *builder) selected() (described []*spec, rows []*row, err error) {
	described, rows = make([]*spec, 0, len(b.region.rows)), make([]*row, 0, len(b.region.rows))
	for i := range b.region.rows {
		row := &b.region.rows[i]
		s, ok := b.specs.byName[row.name]
		if !ok {
			return nil, nil, fmt.Errorf("%s has a price but no specification", row.name)
		}
		if b.selection.derived || !s.derived && !row.priceDerived {
			described, rows = append(described, s), append(rows, row)
		}
	}
	return described, rows, nil
}

// letters returns the zones of a row: those published, or all that offer most
// types where none are.
func (b *builder) letters(row *row) (string, error) {
	letters := row.zones
	if letters == "" {
		b.assumed++
		n := b.region.ordinary
		if n == 0 {
			n = len(b.zones)
		}
		letters = "abcdefghijklmnopqrstuvwxyz"[:n]
	}
	if last := letters[len(letters)-1]; int(last-'a') >= len(b.zones) {
		return "", fmt.Errorf("%s is in zone %c of %d", row.name, last, len(b.zones))
	}
	return letters, nil
}

func (b *builder) provenance() []string {
	lines := slices.Clone(b.specs.sources)
	switch {
	case len(b.region.zoneIDs) == 0:
		lines = append(lines, fmt.Sprintf("zones: no source lists those of %s; three are assumed, without ids", b.region.name))
	case b.assumed > 0:
		lines = append(lines, fmt.Sprintf("zones: no source lists those of %d types; %s to %s are assumed",
			b.assumed, b.zones[0], b.zones[b.region.ordinary-1]))
	}
	if len(b.region.zoneIDs) > 0 {
		lines = append(lines, "zone names: given to the ids in their order ("+strings.Join(b.region.zoneIDs, " ")+
			"); AWS maps them anew for each account")
	}
	lines = append(lines, "spot prices: on-demand less the published 30-day average saving, the same in every zone")
	if b.selection.derived {
		lines = append(lines, "derived: types described by the rules of their family; prices that us-east-1 and GovCloud "+
			"do not publish carried over by the regional ratio of the family before, availability unknown")
	}
	if b.selection.estimated {
		lines = append(lines, "estimated: spot savings that are not published are the median of the region and category")
	}
	return lines
}

func (b *builder) instanceType(s *spec, row *row, letters string) *instancetypes.InstanceType {
	spot := row.saving > 0 && (!row.savingGuessed || b.selection.estimated)
	t := &instancetypes.InstanceType{
		Name:      s.name,
		Capacity:  s.capacity(),
		Overhead:  s.overhead(),
		Offerings: b.offerings(row, letters, spot),
	}
	if s.derived {
		t.Origin = instancetypes.Derived
	}
	t.Requirements = b.labels(s, letters, spot)
	return t
}

// offerings returns one offering for each zone and capacity type.
func (b *builder) offerings(row *row, letters string, spot bool) []instancetypes.Offering {
	onDemand := instancetypes.Offering{Price: row.onDemand, Available: true}
	if row.priceDerived {
		onDemand.PriceOrigin = instancetypes.Derived
	}
	onSpot := instancetypes.Offering{
		Price:        spotPrice(row.onDemand, row.saving),
		Available:    true,
		PriceOrigin:  onDemand.PriceOrigin,
		Interruption: row.band,
	}
	if row.savingGuessed {
		onSpot.PriceOrigin = instancetypes.Estimated
	}
	out := make([]instancetypes.Offering, 0, 2*len(letters))
	for i := range len(letters) {
		onDemand.Requirements = b.offeringRequirements(letters[i], requirements.CapacityTypeOnDemand)
		out = append(out, onDemand)
		if spot {
			onSpot.Requirements = b.offeringRequirements(letters[i], requirements.CapacityTypeSpot)
			out = append(out, onSpot)
		}
	}
	return out
}

// spotPrice is on-demand less the saving, rounded to a millionth of a dollar as AWS does.
func spotPrice(onDemand float64, savingPercent int64) float64 {
	return math.Round(onDemand*float64(100-savingPercent)*1e4) / 1e6
}

// offeringRequirements are those that the provider puts on offerings
// (karpenter-provider-aws v1.14.1 pkg/providers/instancetype/offering/base_resolver.go).
func (b *builder) offeringRequirements(letter byte, capacityType string) requirements.Set {
	key := zoneAndCapacityType{letter, capacityType}
	if set, ok := b.sold[key]; ok {
		return set
	}
	reqs := []requirements.Requirement{
		absent(LabelReservationID),
		absent(LabelReservationInterruptible),
		absent(LabelReservationType),
		b.intern.in(requirements.LabelCapacityType, capacityType),
		b.intern.in(corev1.LabelTopologyZone, b.zones[letter-'a']),
	}
	if len(b.region.zoneIDs) > 0 {
		reqs = append(reqs, b.intern.in(LabelZoneID, b.region.zoneIDs[letter-'a']))
	}
	set := requirements.NewSet(reqs...)
	b.sold[key] = set
	return set
}

// spreadOver returns the zones that letters stand for as requirements.
func (b *builder) spreadOver(letters string) spread {
	if s, ok := b.spread[letters]; ok {
		return s
	}
	var names, ids []string
	for i := range len(letters) {
		names = append(names, b.zones[letters[i]-'a'])
		if len(b.region.zoneIDs) > 0 {
			ids = append(ids, b.region.zoneIDs[letters[i]-'a'])
		}
	}
	s := spread{zones: requirements.Must(corev1.LabelTopologyZone, requirements.In, names...)}
	if len(ids) > 0 {
		s.zoneIDs = requirements.Must(LabelZoneID, requirements.In, ids...)
	}
	b.spread[letters] = s
	return s
}

// labels are the requirements that the provider gives a type
// (karpenter-provider-aws v1.14.1 pkg/providers/instancetype/types.go,
// computeRequirements). They are listed in the order of their keys and so are a
// Set as they stand, which saves sorting a copy for each type.
func (b *builder) labels(s *spec, letters string, spot bool) requirements.Set {
	name := parseName(s.name)
	capacityTypes := b.onDemand
	if spot {
		capacityTypes = b.onDemandAndSpot
	}
	acceleratorMaker, acceleratorCount, gpuCount := "", "", ""
	if s.acceleratorName != "" {
		acceleratorMaker, acceleratorCount = "aws", strconv.FormatInt(s.acceleratorCount, 10)
	}
	if s.gpuName != "" {
		gpuCount = strconv.FormatInt(s.gpuCount, 10)
	}
	in, spread := b.intern.in, b.spreadOver(letters)
	start := len(b.labelled)
	labels := append(b.labelled,
		absent(LabelReservationID),
		absent(LabelReservationInterruptible),
		absent(LabelReservationType),
		in(LabelAcceleratorCount, acceleratorCount),
		in(LabelAcceleratorManufacturer, acceleratorMaker),
		in(LabelAcceleratorName, s.acceleratorName),
		in(LabelCapabilityFlex, strconv.FormatBool(name.flex)),
		in(LabelCategory, name.category),
		in(LabelCPU, strconv.FormatInt(s.vcpu, 10)),
		in(LabelCPUManufacturer, s.cpuManufacturer),
		in(LabelCPUClockSpeed, s.clockMHz),
		in(LabelEBSBandwidth, s.ebsMbps),
		in(LabelEncryptionInTransit, strconv.FormatBool(s.encrypts)),
		in(LabelFamily, name.family),
		in(LabelGeneration, name.generation),
		in(LabelGPUCount, gpuCount),
		in(LabelGPUManufacturer, s.gpuManufacturer),
		in(LabelGPUMemory, s.gpuMemoryMiB),
		in(LabelGPUName, s.gpuName),
		b.intern.exactly(LabelHypervisor, s.hypervisor), // "" on bare metal
		in(LabelLocalNVMe, s.nvmeGB),
		in(LabelMemory, strconv.FormatInt(s.memoryMiB, 10)),
		in(LabelNetworkBandwidth, s.networkMbps),
		in(LabelSize, name.size),
		b.tenancy,
		capacityTypes,
		in(corev1.LabelArchStable, s.arch),
		in(corev1.LabelOSStable, string(corev1.Linux)),
		requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, s.name),
		absent(corev1.LabelWindowsBuild),
	)
	if len(b.region.zoneIDs) > 0 {
		labels = append(labels, spread.zoneIDs)
	}
	labels = append(labels, in(corev1.LabelTopologyRegion, b.region.name), spread.zones)
	b.labelled = labels
	return slices.Clip(labels[start:])
}

// typeName is an instance type's name taken apart.
type typeName struct {
	family, size         string
	category, generation string // empty if the name does not tell
	flex                 bool
}

// parseName takes a name apart as the provider's expression does:
// (^[a-z]+)(\-[0-9]+tb)?([0-9]+).*\. with the category in the first and the
// generation in the third group. "u-12tb1.metal" is category u, generation 1.
func parseName(name string) typeName {
	family, size, dotted := strings.Cut(name, ".")
	out := typeName{flex: strings.Contains(family, "-flex")}
	if !dotted {
		return out
	}
	out.family, out.size = family, size
	letters := leading(family, 'a', 'z')
	rest := family[len(letters):]
	if r, ok := strings.CutPrefix(rest, "-"); ok {
		if after, ok := strings.CutPrefix(r[len(leading(r, '0', '9')):], "tb"); ok {
			rest = after
		}
	}
	if digits := leading(rest, '0', '9'); letters != "" && digits != "" {
		out.category, out.generation = letters, digits
	}
	return out
}

// leading returns the characters between first and last that s begins with.
func leading(s string, first, last byte) string {
	n := 0
	for n < len(s) && first <= s[n] && s[n] <= last {
		n++
	}
	return s[:n]
}
