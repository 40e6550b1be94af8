package scenarios

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/pricing"
)

// applyPriceBook prices the catalog as the manifest says, and returns what it
// commits to. Without a catalog, nil because of a mistake, it only tells what is
// wrong with the prices besides.
func (l *loader) applyPriceBook(
	catalog *instancetypes.Catalog, m located[*Manifest], errs *fieldErrors,
) (*instancetypes.Catalog, []pricing.Commitment) {
	spec := m.value.Spec.PriceBook
	if spec.File == "" && spec.OnDemandDiscount == 0 && spec.SpotDiscount == 0 && len(spec.Prices)+len(spec.Commitments) == 0 {
		return catalog, nil
	}
	known := len(*errs)
	for _, d := range []struct {
		field string
		share float64
	}{{"spec.priceBook.onDemandDiscount", spec.OnDemandDiscount}, {"spec.priceBook.spotDiscount", spec.SpotDiscount}} {
		if !(d.share >= 0 && d.share <= 1) {
			errs.add(d.field, "%v is not a share from 0 to 1", d.share)
		}
	}
	table := l.priceTable(catalog, m, errs)
	opts := []pricing.Option{pricing.OnDemandDiscount(spec.OnDemandDiscount), pricing.SpotDiscount(spec.SpotDiscount)}
	opts = append(opts, commitments(catalog, spec.Commitments, errs)...)
	if len(*errs) > known || catalog == nil {
		return nil, nil
	}
	if table != nil {
		opts = append(opts, pricing.WithTable(table))
	}
	book, err := pricing.NewBook(opts...)
	if err != nil {
		errs.add("spec.priceBook", "%v", err)
		return nil, nil
	}
	priced, err := book.Apply(catalog)
	if err != nil {
		errs.add("spec.priceBook", "%v", err)
		return nil, nil
	}
	return priced, book.Commitments()
}

// instanceType notes a type that the catalog does not have, if there is a catalog.
func (e *fieldErrors) instanceType(field string, catalog *instancetypes.Catalog, name string) {
	if catalog == nil {
		return
	}
	if _, ok := catalog.Lookup(name); !ok {
		e.add(field, "%s", unknownInstanceType(catalog, name))
	}
}

// commitments reads what the manifest commits to.
func commitments(catalog *instancetypes.Catalog, specs []CommitmentSpec, errs *fieldErrors) []pricing.Option {
	var opts []pricing.Option
	for i, c := range specs {
		field := fmt.Sprintf("spec.priceBook.commitments[%d]", i)
		if c.Count < 1 {
			errs.add(field+".count", "%d is not a number of instances from 1 on", c.Count)
		}
		if err := instancetypes.CheckPrice(c.Price); err != nil {
			errs.add(field+".price", "%v is not a price from 0 to below %d", c.Price, int(instancetypes.MaxPrice))
		} else if err := instancetypes.CheckPrice(c.Price * float64(c.Count)); err != nil && c.Count > 0 {
			errs.add(field, "%d instances at %v cost %d an hour or more", c.Count, c.Price, int(instancetypes.MaxPrice))
		}
		errs.instanceType(field+".instanceType", catalog, c.InstanceType)
		if slices.ContainsFunc(specs[:i], func(o CommitmentSpec) bool { return o.InstanceType == c.InstanceType }) {
			errs.add(field, "%s is committed to already", c.InstanceType)
		}
		opts = append(opts, pricing.WithCommitment(pricing.Commitment{InstanceType: c.InstanceType, Count: c.Count, HourlyUSD: c.Price}))
	}
	return opts
}

// priceTable joins the rows of the price file and those of the manifest, which win.
func (l *loader) priceTable(catalog *instancetypes.Catalog, m located[*Manifest], errs *fieldErrors) *pricing.Table {
	spec := m.value.Spec.PriceBook
	var rows []pricing.Row
	for i, p := range spec.Prices {
		field := fmt.Sprintf("spec.priceBook.prices[%d]", i)
		row := pricing.Row{InstanceType: p.InstanceType, Zone: p.Zone, CapacityType: p.CapacityType, Hourly: p.Price}
		if !(p.Price >= 0) || math.IsInf(p.Price, 0) {
			errs.add(field+".price", "%v is not a price from 0 on", p.Price)
		}
		errs.instanceType(field+".instanceType", catalog, p.InstanceType)
		if p.CapacityType != "" {
			errs.oneOf(field+".capacityType", p.CapacityType, capacityTypes...)
		}
		if p.Zone != "" && catalog != nil {
			errs.oneOf(field+".zone", p.Zone, catalog.Zones()...)
		}
		if slices.ContainsFunc(rows, func(r pricing.Row) bool { r.Hourly = row.Hourly; return r == row }) {
			errs.add(field, "%s is priced already", row)
			continue
		}
		rows = append(rows, row)
	}
	if spec.File != "" {
		prices := readSideFile("spec.priceBook.file", relative(m.at.dir, spec.File), errs, pricing.ReadCSV)
		for _, r := range prices.Rows() {
			if !slices.ContainsFunc(rows, func(o pricing.Row) bool { o.Hourly = r.Hourly; return o == r }) {
				rows = append(rows, r)
			}
			if catalog == nil {
				continue
			}
			if _, ok := catalog.Lookup(r.InstanceType); !ok {
				l.warnAt(m.at, "the price file has prices of types that the catalog does not have")
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	table, err := pricing.NewTable(rows...)
	if err != nil {
		if !slices.ContainsFunc(*errs, func(e fieldError) bool { return strings.HasPrefix(e.field, "spec.priceBook.prices") }) {
			errs.add("spec.priceBook", "%v", err)
		}
		return nil
	}
	return table
}
