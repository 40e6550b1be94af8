package replay

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/binwright/binwright/pricing"
)

// nodeBill is what the meter needs to know of a node; it stays the same from the
// node's launch to its end.
type nodeBill struct {
	typ, zone, capacityType string
	// owner is the node pool or node group.
	owner string
	// price is in US dollars an hour.
	price float64
	// milliCPU and memory (bytes) are allocatable.
	milliCPU, memory int64
}

// rate is a price in billionths of a US dollar an hour.
func rate(hourly float64) int64 { return int64(math.Round(hourly * billionths)) }

// wasted is the part of the price, in billionths of a dollar an hour, that nobody
// requests: 1 less the larger of the requested shares of CPU and memory.
func (n *nodeBill) wasted(milliCPU, memory int64) int64 {
	requested := 0.0
	if n.milliCPU > 0 {
		requested = float64(milliCPU) / float64(n.milliCPU)
	}
	if n.memory > 0 {
		requested = max(requested, float64(memory)/float64(n.memory))
	}
	return int64(math.Round(n.price * (1 - min(1, requested)) * billionths))
}

// account holds the nodes of one kind: those that are there, and what those that
// are gone have cost.
type account struct {
	nodes  int // there now
	billed int
	ran    integral // of billed nodes
	cost   amount   // of billed nodes
	// saved is what commitments take off the cost, in billionths of a dollar an
	// hour over time.
	saved integral
}

type accountKey struct {
	typ, zone, capacityType, owner string
	price                          float64
}

// ledger is the bill of all nodes. What is there now counts by rates, which are
// whole numbers, so that they come back to zero when the last node is gone.
type ledger struct {
	nodes     int   // billed now
	priceRate int64 // of all nodes, in billionths of a dollar an hour
	wasteRate int64
	nodeTime  integral
	priceTime integral
	wasteTime integral
	// rounding bounds what rounding each node's time up may add to the bill.
	rounding amount
	accounts map[accountKey]*account
}

func newLedger() ledger { return ledger{accounts: map[accountKey]*account{}} }

func (l *ledger) pass(held time.Duration) {
	l.nodeTime.add(int64(l.nodes), held)
	l.priceTime.add(l.priceRate, held)
	l.wasteTime.add(l.wasteRate, held)
}

func (l *ledger) account(n *nodeBill) *account {
	key := accountKey{n.typ, n.zone, n.capacityType, n.owner, n.price}
	a := l.accounts[key]
	if a == nil {
		a = &account{}
		l.accounts[key] = a
	}
	return a
}

func (l *ledger) open(n *nodeBill) {
	l.nodes++
	l.account(n).nodes++
	l.priceRate += rate(n.price)
	l.wasteRate += n.wasted(0, 0)
}

func (l *ledger) closed(n *nodeBill) {
	l.nodes--
	l.account(n).nodes--
	l.priceRate -= rate(n.price)
	l.wasteRate -= n.wasted(0, 0)
}

// bill charges the time that a node ran.
func (l *ledger) bill(n *nodeBill, ran time.Duration) {
	a := l.account(n)
	a.billed++
	a.ran.add(1, ran)
	a.cost.add(pricing.Cost(n.price, ran))
	l.rounding.add(pricing.Cost(n.price, time.Minute))
}

// hourly is what is being paid now, in US dollars an hour.
func (l *ledger) hourly() float64 { return float64(l.priceRate) / billionths }

// accrued is what was paid by exact time, in US dollars.
func (l *ledger) accrued() float64 { return l.priceTime.hours() / billionths }

func (l *ledger) cost() Cost {
	var total amount
	splits := [4]map[string]*share{{}, {}, {}, {}}
	for key, a := range l.accounts {
		cost := a.cost
		cost.add(-a.saved.hours() / billionths)
		total.plus(cost)
		for i, name := range [...]string{key.typ, key.capacityType, key.owner, key.zone} {
			s := splits[i][name]
			if s == nil {
				s = &share{}
				splits[i][name] = s
			}
			s.nodes += a.billed
			s.ran.plus(a.ran)
			s.cost.plus(cost)
		}
	}
	return Cost{
		TotalUSD: total.usd(), WasteUSD: l.wasteTime.hours() / billionths,
		ByType: listed(splits[0]), ByCapacityType: listed(splits[1]), ByOwner: listed(splits[2]), ByZone: listed(splits[3]),
	}
}

// share adds up the accounts of one name.
type share struct {
	nodes int
	ran   integral
	cost  amount
}

func listed(shares map[string]*share) []Share {
	out := make([]Share, 0, len(shares))
	for name, s := range shares {
		out = append(out, Share{name, s.nodes, s.ran.hours(), s.cost.usd()})
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(-cmp.Compare(a.USD, b.USD), cmp.Compare(a.Name, b.Name))
	})
	return out
}
