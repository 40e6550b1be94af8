package scenarios

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/pricing"
)

// DefaultRegion is the AWS region of a scenario that names none and whose nodes
// tell of none.
const DefaultRegion = "us-east-1"

// Providers of a catalog, by their names in a manifest.
const (
	providerAWS  = "aws"
	providerFile = "file"
)

// loadCatalog returns the scenario's catalog at the prices of its price book, and
// the book's commitments. Every mistake in what the manifest says of them is noted;
// then the catalog is nil.
func (l *loader) loadCatalog(c *cluster, m located[*Manifest]) (*instancetypes.Catalog, []pricing.Commitment) {
	var errs fieldErrors
	spec := m.value.Spec.Catalog
	catalog := l.settings.catalog
	if catalog == nil {
		catalog = l.baseCatalog(c, m, spec, &errs)
	}
	if catalog != nil && len(spec.Requirements) > 0 {
		catalog = filterCatalog(catalog, spec, &errs)
	}
	catalog, commitments := l.applyPriceBook(catalog, m, &errs)
	for _, e := range errs {
		l.problemAt(m.at, e)
	}
	return catalog, commitments
}

// baseCatalog loads what provider, region, file and include say.
func (l *loader) baseCatalog(c *cluster, m located[*Manifest], spec CatalogSpec, errs *fieldErrors) *instancetypes.Catalog {
	provider := spec.Provider
	if provider == "" {
		provider = providerAWS
		if spec.File != "" {
			provider = providerFile
		}
	}
	switch provider {
	case providerAWS:
		if spec.File != "" {
			errs.add("spec.catalog.file", "is for provider file, not %s", provider)
		}
		region := spec.Region
		if l.region != "" {
			region = l.region
		}
		if region == "" {
			region = regionOfNodes(c)
		}
		if region == "" {
			region = DefaultRegion
			l.warn("", "the input names no region: the catalog is that of AWS "+region)
		}
		return loadAWS(region, spec.Include, errs)
	case providerFile:
		if spec.Region != "" || len(spec.Include) > 0 {
			errs.add("spec.catalog", "region and include are for provider aws, not %s", provider)
		}
		if spec.File == "" {
			errs.add("spec.catalog.file", "is missing")
			return nil
		}
		return readSideFile("spec.catalog.file", relative(m.at.dir, spec.File), errs, instancetypes.ReadKWOK)
	default:
		errs.oneOf("spec.catalog.provider", provider, providerAWS, providerFile)
		return nil
	}
}

func loadAWS(region string, include []string, errs *fieldErrors) *instancetypes.Catalog {
	var opts []aws.Option
	for i, name := range include {
		switch name {
		case "derived":
			opts = append(opts, aws.WithDerived())
		case "estimated":
			opts = append(opts, aws.WithEstimated())
		default:
			errs.oneOf(fmt.Sprintf("spec.catalog.include[%d]", i), name, "derived", "estimated")
		}
	}
	catalog, err := aws.Load(region, opts...)
	if err != nil {
		errs.add("spec.catalog.region", "%v", err)
		return nil
	}
	return catalog
}

// readSideFile reads a file that a manifest names in a field, and notes each line of
// what is wrong with it.
func readSideFile[T any](field, path string, errs *fieldErrors, read func(io.Reader) (*T, error)) *T {
	f, err := openRegular(path)
	if err != nil {
		errs.add(field, "%v", err)
		return nil
	}
	defer f.Close()
	content, err := read(f)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			errs.add(field, "%s: %s", path, line)
		}
		return nil
	}
	return content
}

// maxSideFileBytes bounds the files that a manifest names.
const maxSideFileBytes = 64 << 20

// openRegular opens a file that a manifest names: no device or pipe, which might
// never end, and of bounded size.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is no regular file", path)
	case info.Size() > maxSideFileBytes:
		return nil, fmt.Errorf("%s: %d bytes, more than the limit of %d", path, info.Size(), maxSideFileBytes)
	}
	return os.Open(path)
}

// relative resolves a path that a manifest names from the manifest's directory.
func relative(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// regionOfNodes returns the region that all nodes with a region label share, ""
// if there is none or if they differ.
func regionOfNodes(c *cluster) string {
	region := ""
	for _, n := range c.nodes {
		r := n.value.Labels[corev1.LabelTopologyRegion]
		if r == "" {
			r = n.value.Labels[corev1.LabelFailureDomainBetaRegion]
		}
		if r == "" || !slices.Contains(aws.Regions(), r) {
			continue
		}
		if region != "" && region != r {
			return ""
		}
		region = r
	}
	return region
}

// filterCatalog keeps the types that can meet the requirements of the manifest,
// each with those of its offerings that can.
func filterCatalog(catalog *instancetypes.Catalog, spec CatalogSpec, errs *fieldErrors) *instancetypes.Catalog {
	reqs := make([]requirements.Requirement, 0, len(spec.Requirements))
	for i, e := range spec.Requirements {
		field := fmt.Sprintf("spec.catalog.requirements[%d]", i)
		r, err := requirements.New(e.Key, e.Operator, e.Values...)
		if err != nil {
			errs.add(field, "%v", err)
			return catalog
		}
		if e.MinValues != nil {
			errs.add(field+".minValues", "has no meaning for a catalog")
		}
		reqs = append(reqs, r)
	}
	set := requirements.NewSet(reqs...)
	kept := catalog.Compatible(set)
	types := make([]*instancetypes.InstanceType, 0, len(kept.Types()))
	for _, t := range kept.Types() {
		one := *t
		one.Offerings = slices.DeleteFunc(slices.Clone(t.Offerings), func(o instancetypes.Offering) bool {
			return set.Intersects(o.Requirements) != nil
		})
		types = append(types, &one)
	}
	if len(types) == 0 {
		errs.add("spec.catalog.requirements", "no instance type of the catalog meets them")
		return catalog
	}
	filtered, err := instancetypes.NewCatalog(catalog.Info(), types...)
	if err != nil {
		errs.add("spec.catalog.requirements", "%v", err)
		return catalog
	}
	return filtered
}

// capacityTypes are the values of karpenter.sh/capacity-type.
var capacityTypes = []string{requirements.CapacityTypeOnDemand, requirements.CapacityTypeSpot, requirements.CapacityTypeReserved}

// unknownInstanceType says that the catalog has no such type. A type that is
// only in the rows that were not asked for is told apart.
func unknownInstanceType(catalog *instancetypes.Catalog, name string) string {
	info := catalog.Info()
	where := info.Provider
	if info.Region != "" {
		where += " " + info.Region
	}
	if info.Provider == providerAWS && info.Region != "" {
		if all, err := aws.Load(info.Region, aws.WithDerived(), aws.WithEstimated()); err == nil {
			if _, ok := all.Lookup(name); ok {
				return fmt.Sprintf("instance type %q is not in the catalog as it was asked for (spec.catalog.include: [derived] adds more of %s)", name, where)
			}
		}
	}
	hint := ""
	if near := catalog.Nearest(name); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	return fmt.Sprintf("instance type %q is not in the catalog of %s%s", shorten(name), where, hint)
}

var errNoOffering = errors.New("not offered")

// offeringOf returns the offering of a type in a zone and of a capacity type; with
// zone "" the cheapest of the capacity type.
func offeringOf(t *instancetypes.InstanceType, zone, capacityType string) (*instancetypes.Offering, error) {
	reqs := []requirements.Requirement{requirements.Must(requirements.LabelCapacityType, requirements.In, capacityType)}
	if zone != "" {
		reqs = append(reqs, requirements.Must(corev1.LabelTopologyZone, requirements.In, zone))
	}
	if o := t.Cheapest(requirements.NewSet(reqs...)); o != nil {
		return o, nil
	}
	var zones []string
	for i := range t.Offerings {
		if o := &t.Offerings[i]; o.Available && o.CapacityType() == capacityType {
			zones = append(zones, o.Zone())
		}
	}
	if len(zones) == 0 {
		return nil, fmt.Errorf("%s is %w as %s", t.Name, errNoOffering, capacityType)
	}
	return nil, fmt.Errorf("%s is %w in %s as %s, only in %s", t.Name, errNoOffering, zone, capacityType, strings.Join(zones, ", "))
}
