package replay

import (
	"cmp"
	"slices"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/pricing"
)

// commitment follows which nodes use the instances of a type that are committed
// to. Of the on-demand nodes of the type the dearest use them first, then those in
// the zone and of the owner with the smaller name: the provider does not say which
// do, and it matters only to which zone and owner the saving falls.
type commitment struct {
	count int
	price int64 // of one instance, in billionths of a dollar an hour
	users []*account
	used  int
}

// commit bills what a price book commits to, from the start on. It comes before
// any node.
func (m *meter) commit(commitments []pricing.Commitment) {
	for _, c := range commitments {
		one := rate(c.HourlyUSD)
		m.bills.commitments[c.InstanceType] = &commitment{count: c.Count, price: one}
		m.bills.committedRate += int64(c.Count) * one
		m.bills.unusedRate += int64(c.Count) * one
	}
}

// commitmentOf returns the commitment that nodes of an account may use, if any.
func (l *ledger) commitmentOf(key *accountKey) *commitment {
	if key.capacityType != requirements.CapacityTypeOnDemand {
		return nil
	}
	return l.commitments[key.typ]
}

func (c *commitment) join(a *account) {
	at, _ := slices.BinarySearchFunc(c.users, a, func(x, y *account) int {
		return cmp.Or(-cmp.Compare(x.price, y.price), cmp.Compare(x.zone, y.zone), cmp.Compare(x.owner, y.owner))
	})
	c.users = slices.Insert(c.users, at, a)
}

// cover assigns the committed instances anew after nodes of the type came or went.
func (l *ledger) cover(c *commitment) {
	left := c.count
	for _, a := range c.users {
		covered := min(left, a.nodes)
		left -= covered
		if covered == a.covered {
			continue
		}
		l.settle(a)
		l.coveredRate += int64(covered-a.covered) * rate(a.price)
		a.covered = covered
	}
	used := c.count - left
	l.unusedRate -= int64(used-c.used) * c.price
	c.used = used
}

// settle brings the time for which nodes of an account were covered up to date.
func (l *ledger) settle(a *account) {
	a.coveredTime.add(int64(a.covered), l.now-a.since)
	a.since = l.now
}

// saved is what commitments took off the price of an account's nodes, in US
// dollars; below zero if the commitment is the dearer.
func (l *ledger) saved(a *account) float64 {
	if a.commitment == nil {
		return 0
	}
	l.settle(a)
	return a.coveredTime.hours() * float64(rate(a.price)-a.commitment.price) / billionths
}
