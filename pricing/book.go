package pricing

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// Errors that callers may branch on; [NewBook] and [Book.Apply] wrap them.
var (
	// ErrDiscount says that a discount is not a share from 0 to 1.
	ErrDiscount = errors.New("discount is not a share from 0 to 1")
	// ErrUnknownInstanceType says that a commitment is for a type that the catalog does not have.
	ErrUnknownInstanceType = errors.New("unknown instance type")
)

// Book says what an offering costs. The most specific rule holds, alone: a row
// of the user's table; then, for on-demand capacity, a commitment's fixed price;
// then the discount of the capacity type on the catalog's price. Reserved
// capacity costs what the catalog says, unless the table prices it. A Book is
// immutable and safe for concurrent use; the zero value changes no price.
type Book struct {
	onDemandDiscount float64
	spotDiscount     float64
	fixed            map[string]float64 // by instance type
	commitments      []Commitment       // in order of instance type, one of each
	table            *Table
}

// Option is one rule of a [Book].
type Option interface{ apply(*Book) error }

type option func(*Book) error

func (o option) apply(b *Book) error { return o(b) }

// OnDemandDiscount takes a share off every on-demand price: 0.30 for 30%.
func OnDemandDiscount(share float64) Option {
	return option(func(b *Book) error {
		b.onDemandDiscount = share
		return checkShare("on-demand discount", share)
	})
}

// SpotDiscount takes a share off every spot price: 0.05 for 5%.
func SpotDiscount(share float64) Option {
	return option(func(b *Book) error {
		b.spotDiscount = share
		return checkShare("spot discount", share)
	})
}

// FixedPrice is what a commitment for any number of instances comes to (a savings
// plan): on-demand capacity of the type costs so many US dollars an hour, in every
// zone. For a number of instances that is paid for in any case see [WithCommitment]. A later price for the same type replaces an earlier one.
func FixedPrice(instanceType string, usdPerHour float64) Option {
	return option(func(b *Book) error {
		if instanceType == "" {
			return errors.New("fixed price: the instance type has no name")
		}
		if err := instancetypes.CheckPrice(usdPerHour); err != nil {
			return fmt.Errorf("fixed price of %s: %w", instanceType, err)
		}
		if b.fixed == nil {
			b.fixed = map[string]float64{}
		}
		b.fixed[instanceType] = usdPerHour
		return nil
	})
}

// WithTable lays a table over all other rules. A later table replaces an earlier one.
func WithTable(t *Table) Option {
	return option(func(b *Book) error {
		b.table = t
		return nil
	})
}

func checkShare(what string, share float64) error {
	if math.IsNaN(share) || share < 0 || share > 1 {
		return fmt.Errorf("%s: %w: %v", what, ErrDiscount, share)
	}
	return nil
}

// NewBook makes a book of rules. It returns every error of every option, joined;
// they wrap [ErrDiscount], [ErrCount] or [instancetypes.ErrPrice].
func NewBook(opts ...Option) (*Book, error) {
	b := &Book{}
	var errs []error
	for _, o := range opts {
		errs = append(errs, o.apply(b))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("price book: %w", err)
	}
	return b, nil
}

// Price returns what an offering of an instance type costs, in US dollars an hour.
func (b *Book) Price(instanceType string, o *instancetypes.Offering) float64 {
	price, _ := b.price(instanceType, o)
	return price
}

// price also says whether the book itself states the price, rather than a share
// of the catalog's.
func (b *Book) price(instanceType string, o *instancetypes.Offering) (price float64, stated bool) {
	capacityType := o.CapacityType()
	if row, ok := b.table.lookup(instanceType, o.Zone(), capacityType); ok {
		return row.Hourly, true
	}
	switch capacityType {
	case requirements.CapacityTypeOnDemand:
		if price, ok := b.fixed[instanceType]; ok {
			return price, true
		}
		return discounted(o.Price, b.onDemandDiscount), false
	case requirements.CapacityTypeSpot:
		return discounted(o.Price, b.spotDiscount), false
	}
	return o.Price, false
}

// discounted takes a share off a price and rounds to a billionth of a dollar, so
// that 30% off 0.096 is 0.0672.
func discounted(price, share float64) float64 {
	if share == 0 {
		return price
	}
	return math.Round(price*(1-share)*1e9) / 1e9
}

// Apply returns the catalog at the prices of the book; the catalog it is given
// stays as it is. Types whose prices do not change are shared by both. A price
// that the book itself states counts as measured; a discounted one keeps its
// origin. Errors wrap [ErrUnknownInstanceType], one for each commitment to a type that the
// catalog does not have. Rows of the table that match nothing are no error,
// since a table may serve many catalogs: see [Book.Unused].
func (b *Book) Apply(c *instancetypes.Catalog) (*instancetypes.Catalog, error) {
	if err := b.checkTypes(c); err != nil {
		return nil, err
	}
	types := slices.Clone(c.Types())
	for i, t := range types {
		types[i] = b.reprice(t)
	}
	info := c.Info()
	info.Provenance = append(slices.Clone(info.Provenance), "prices: "+b.String())
	return instancetypes.NewCatalog(info, types...)
}

// reprice returns the type at the book's prices, the same one if none changes.
func (b *Book) reprice(t *instancetypes.InstanceType) *instancetypes.InstanceType {
	var changed *instancetypes.InstanceType
	for i := range t.Offerings {
		o := &t.Offerings[i]
		price, stated := b.price(t.Name, o)
		if price == o.Price && (!stated || o.PriceOrigin == instancetypes.Measured) {
			continue
		}
		if changed == nil {
			clone := *t
			clone.Offerings = slices.Clone(t.Offerings)
			changed = &clone
		}
		changed.Offerings[i].Price = price
		if stated {
			changed.Offerings[i].PriceOrigin = instancetypes.Measured
		}
	}
	if changed == nil {
		return t
	}
	return changed
}

// checkTypes finds the types that the book commits to and the catalog does not have.
func (b *Book) checkTypes(c *instancetypes.Catalog) error {
	var errs []error
	check := func(what, name string) {
		if _, ok := c.Lookup(name); ok {
			return
		}
		hint := ""
		if near := c.Nearest(name); near != "" {
			hint = fmt.Sprintf(", did you mean %q?", near)
		}
		errs = append(errs, fmt.Errorf("%s: %w %q%s", what, ErrUnknownInstanceType, name, hint))
	}
	for _, name := range b.fixedTypes() {
		check("fixed price", name)
	}
	for _, c := range b.commitments {
		check("commitment", c.InstanceType)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("price book: %w", err)
	}
	return nil
}

// fixedTypes returns the types with a fixed price, sorted.
func (b *Book) fixedTypes() []string {
	names := make([]string, 0, len(b.fixed))
	for name := range b.fixed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Unused returns the rows of the table that price no offering of the catalog, in
// the table's order: mistyped names among them, or types of another region.
func (b *Book) Unused(c *instancetypes.Catalog) []Row {
	if b.table == nil {
		return nil
	}
	used := map[key]bool{}
	for _, t := range c.Types() {
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if row, ok := b.table.lookup(t.Name, o.Zone(), o.CapacityType()); ok {
				used[row.key()] = true
			}
		}
	}
	return slices.DeleteFunc(b.table.Rows(), func(r Row) bool { return used[r.key()] })
}

// String says in words what the book does to prices.
func (b *Book) String() string {
	var parts []string
	if b.onDemandDiscount > 0 {
		parts = append(parts, fmt.Sprintf("on-demand less %.4g%%", 100*b.onDemandDiscount))
	}
	if b.spotDiscount > 0 {
		parts = append(parts, fmt.Sprintf("spot less %.4g%%", 100*b.spotDiscount))
	}
	if n := len(b.fixed); n > 0 {
		parts = append(parts, fmt.Sprintf("%d fixed by commitment", n))
	}
	for _, c := range b.commitments {
		parts = append(parts, fmt.Sprintf("%d x %s committed to at $%.6g/h", c.Count, c.InstanceType, c.HourlyUSD))
	}
	if b.table != nil {
		parts = append(parts, fmt.Sprintf("%d from the user's table", len(b.table.rows)))
	}
	if len(parts) == 0 {
		return "as in the catalog"
	}
	return strings.Join(parts, ", ")
}
