// Package aws holds the instance types and prices of Amazon EC2 in every
// region, embedded in the program and decoded a region at a time when it is
// first asked for.
//
// The data is made by `go generate` from two pinned sources, which
// [instancetypes.Catalog.Info] names with version, date and licence. Rows that no source
// states in full are labelled and left out unless asked for: types described by
// the rules of their family ([WithDerived]) and spot prices worked out from the
// typical saving of their like ([WithEstimated]).
//
// Capacity, overhead and labels are those that Karpenter's AWS provider v1.14.1
// computes (pkg/providers/instancetype/types.go) for Amazon Linux 2023 with its
// default settings: Allocatable is exact to the millicore and the MiB. Four
// things are as the data allows: a label that the data does not have (bandwidth
// to EBS of derived types, vague network bandwidths of old ones) is said not to
// exist, so that a pod which selects on it is not placed there; EFA interfaces
// (vpc.amazonaws.com/efa) are not counted; zone names are letters given to zone
// ids, since AWS maps them anew for each account; and where the sources list no
// zones, three (or those of the region) are assumed, which Info says.
package aws

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/binwright/binwright/instancetypes"
)

//go:generate go run -C generate . -o ../data

//go:embed data/*.tsv.gz
var data embed.FS

// ErrUnknownRegion says that there is no such region in the catalog. The error
// that wraps it suggests the nearest name.
var ErrUnknownRegion = errors.New("unknown AWS region")

// Option adds rows to a catalog.
type Option interface{ apply(*selection) }

type option func(*selection)

func (o option) apply(s *selection) { o(s) }

// selection says which rows to take beyond the measured ones.
type selection struct{ derived, estimated bool }

// index numbers the selections from 0.
func (s selection) index() int {
	i := 0
	if s.derived {
		i |= 1
	}
	if s.estimated {
		i |= 2
	}
	return i
}

const selections = 4

// WithDerived adds the types that are priced but described nowhere, such as
// those of families newer than the published specifications; their
// specifications follow from the rules of their family (Origin is
// [instancetypes.Derived]). In us-east-1 and GovCloud most of their prices are
// published; elsewhere they are carried over by the regional ratio of the
// family before (PriceOrigin is [instancetypes.Derived]): within 0.05% for most
// pairs of families for which both prices are published, 11% off at worst.
// Whether the region offers the type is unknown there.
func WithDerived() Option { return option(func(s *selection) { s.derived = true }) }

// WithEstimated adds spot offerings of types for which no saving is published in
// the region: the saving is the median of the region's types of the same
// category (PriceOrigin is [instancetypes.Estimated], mean error 6.3 points).
func WithEstimated() Option { return option(func(s *selection) { s.estimated = true }) }

// Regions returns the names of the regions, sorted.
func Regions() []string { return slices.Clone(regionNames()) }

var regionNames = sync.OnceValue(func() []string {
	files, err := fs.ReadDir(data, "data")
	if err != nil {
		panic("embedded data: " + err.Error())
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".tsv.gz"); name != "types" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
})

// loaders holds, for each region and selection, the function that decodes it once.
var loaders = sync.OnceValue(func() map[string]*[selections]func() *instancetypes.Catalog {
	all := make(map[string]*[selections]func() *instancetypes.Catalog, len(regionNames()))
	for _, region := range regionNames() {
		all[region] = new([selections]func() *instancetypes.Catalog)
		for _, s := range []selection{{}, {derived: true}, {estimated: true}, {derived: true, estimated: true}} {
			all[region][s.index()] = sync.OnceValue(func() *instancetypes.Catalog { return mustBuild(region, s) })
		}
	}
	return all
})

// Load returns the catalog of a region, types sorted by name: on-demand and
// spot offerings in every zone, at the prices of the dates that Info tells.
// It decodes a region when it is first asked for and keeps it; the catalog is
// shared, immutable and safe for concurrent use. The error wraps
// [ErrUnknownRegion].
func Load(region string, opts ...Option) (*instancetypes.Catalog, error) {
	load, ok := loaders()[region]
	if !ok {
		return nil, unknownRegion(region)
	}
	var s selection
	for _, o := range opts {
		o.apply(&s)
	}
	return load[s.index()](), nil
}

func unknownRegion(region string) error {
	if near := instancetypes.Nearest(region, regionNames()); near != "" {
		return fmt.Errorf("%w %q, did you mean %q?", ErrUnknownRegion, region, near)
	}
	return fmt.Errorf("%w %q, known are %s", ErrUnknownRegion, region, strings.Join(regionNames(), ", "))
}

// mustBuild builds a region from the embedded data, which the tests decode in
// full: an error here is one of the program, not of a user.
func mustBuild(region string, s selection) *instancetypes.Catalog {
	c, err := build(region, s)
	if err != nil {
		panic(fmt.Sprintf("embedded catalog of %s: %v", region, err))
	}
	return c
}

// build decodes a region, without the cache.
func build(region string, s selection) (*instancetypes.Catalog, error) {
	types, err := decodedTypes()
	if err != nil {
		return nil, err
	}
	r, err := decodeRegion(region)
	if err != nil {
		return nil, err
	}
	return newBuilder(r, types, s).catalog()
}
