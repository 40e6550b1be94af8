package pricing

import (
	"cmp"
	"slices"

	"github.com/binwright/binwright/instancetypes"
)

// Line is one node on a bill.
type Line struct {
	InstanceType string
	Zone         string
	CapacityType string
	// Owner is the node pool or node group that the node belongs to.
	Owner string
	// Hourly is what the node costs in US dollars an hour: finite, from 0 to
	// below [instancetypes.MaxPrice], as the prices of a catalog are.
	Hourly float64
}

// Bill is what a set of nodes costs, a line each. Its sums are exact to a
// billionth of a dollar for each line and do not depend on the order of lines.
type Bill []Line

// Share is the part of a bill that falls to one name.
type Share struct {
	// Name is an instance type, zone, capacity type or owner.
	Name string
	// Nodes is how many lines it has.
	Nodes int
	// Hourly is in US dollars an hour.
	Hourly float64
}

// Monthly is the share in US dollars a month of [HoursPerMonth] hours.
func (s Share) Monthly() float64 { return s.Hourly * HoursPerMonth }

// Hourly is the sum in US dollars an hour.
func (b Bill) Hourly() float64 { return b.sum() }

// Monthly is the sum in US dollars a month of [HoursPerMonth] hours.
func (b Bill) Monthly() float64 { return b.Hourly() * HoursPerMonth }

// ByInstanceType splits the bill by instance type. As with the other splits, the
// largest share comes first, and of equal ones that with the smaller name.
func (b Bill) ByInstanceType() []Share { return b.by(func(l *Line) string { return l.InstanceType }) }

// ByZone splits the bill by zone.
func (b Bill) ByZone() []Share { return b.by(func(l *Line) string { return l.Zone }) }

// ByCapacityType splits the bill by capacity type.
func (b Bill) ByCapacityType() []Share { return b.by(func(l *Line) string { return l.CapacityType }) }

// ByOwner splits the bill by node pool or node group.
func (b Bill) ByOwner() []Share { return b.by(func(l *Line) string { return l.Owner }) }

func (b Bill) by(name func(*Line) string) []Share {
	parts := map[string]Bill{}
	for i := range b {
		n := name(&b[i])
		parts[n] = append(parts[n], b[i])
	}
	shares := make([]Share, 0, len(parts))
	for n, part := range parts {
		shares = append(shares, Share{Name: n, Nodes: len(part), Hourly: part.sum()})
	}
	slices.SortFunc(shares, func(x, y Share) int {
		return cmp.Or(-cmp.Compare(x.Hourly, y.Hourly), cmp.Compare(x.Name, y.Name))
	})
	return shares
}

func (b Bill) sum() float64 {
	prices := make([]float64, len(b))
	for i := range b {
		prices[i] = b[i].Hourly
	}
	return instancetypes.SumPrices(prices)
}
