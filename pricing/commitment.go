package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/binwright/binwright/instancetypes"
)

// ErrCount says that a commitment is to no instance at all.
var ErrCount = errors.New("count is not a number of instances from 1 on")

// Commitment pays for a number of instances of a type by the hour, in any zone,
// whether they run or not: reserved instances. On-demand nodes of the type use it
// up to its count, and those beyond it cost what the [Book] says without it. It
// changes a bill and no decision: autoscalers know only the price of one more
// instance. Where any number of instances is committed to, use [FixedPrice].
type Commitment struct {
	InstanceType string
	Count        int
	// HourlyUSD is what one instance costs in US dollars an hour, the payment in
	// advance spread over the hours of the term.
	HourlyUSD float64
}

// WithCommitment adds a commitment to a book. A later one for the same type
// replaces an earlier one.
func WithCommitment(c Commitment) Option {
	return option(func(b *Book) error {
		if err := c.check(); err != nil {
			return err
		}
		b.commitments = slices.DeleteFunc(b.commitments, func(o Commitment) bool { return o.InstanceType == c.InstanceType })
		b.commitments = append(b.commitments, c)
		slices.SortFunc(b.commitments, func(x, y Commitment) int { return cmp.Compare(x.InstanceType, y.InstanceType) })
		return nil
	})
}

// check bounds what the commitment costs in all by what one instance may cost, so
// that sums stay exact.
func (c *Commitment) check() error {
	if c.InstanceType == "" {
		return errors.New("commitment: the instance type has no name")
	}
	if c.Count < 1 {
		return fmt.Errorf("commitment to %s: %w: %d", c.InstanceType, ErrCount, c.Count)
	}
	if err := instancetypes.CheckPrice(c.HourlyUSD); err != nil {
		return fmt.Errorf("commitment to %s: %w", c.InstanceType, err)
	}
	if err := instancetypes.CheckPrice(c.HourlyUSD * float64(c.Count)); err != nil {
		return fmt.Errorf("commitment to %s: all %d instances: %w", c.InstanceType, c.Count, err)
	}
	return nil
}

// Commitments returns the book's commitments in order of instance type.
func (b *Book) Commitments() []Commitment { return slices.Clone(b.commitments) }
